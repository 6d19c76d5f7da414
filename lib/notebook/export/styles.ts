import postcss from "postcss";

/**
 * A style sheet that applies inside `scope` only and loads nothing, so that an output cannot restyle the page.
 * What is no CSS gives "".
 */
export function scopedCss(css: string, scope: string): string {
  let root: postcss.Root;
  try {
    root = postcss.parse(css);
  } catch {
    return "";
  }
  root.walkAtRules(/^(import|charset|namespace|page|font-face)$/i, (rule) => void rule.remove());
  root.walkDecls((declaration) => void (/url\s*\(|image-set|expression/i.test(declaration.value) && declaration.remove()));
  root.walkRules((rule) => {
    if (rule.parent?.type === "atrule" && /keyframes$/i.test((rule.parent as postcss.AtRule).name)) return;
    // Nested rules are inside their parent's scope already.
    if (rule.parent?.type === "rule") return;
    rule.selectors = rule.selectors.map((selector) => (/^(:root|html|body)$/i.test(selector) ? scope : `${scope} ${selector}`));
  });
  // In SVG a style element is no raw text: a tag in it would be one.
  return root.toString().replaceAll("<", "\\3c ");
}
