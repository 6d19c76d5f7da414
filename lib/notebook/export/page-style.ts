import { controlsCss } from "../../control/browser.js";

/** The page's looks, in light and dark (`light-dark()` follows `color-scheme`). Colours of text have a contrast of 4.5 or more. */
export const pageStyle = `
:root{color-scheme:light dark;--fg:light-dark(#1f2328,#e6edf3);--soft:light-dark(#59636e,#9198a1);--bg:light-dark(#fff,#0d1117);--box:light-dark(#f6f8fa,#161b22);--line:light-dark(#d1d9e0,#3d444d);--link:light-dark(#0550ae,#79b8ff);--red:light-dark(#b3231b,#ff8178);--redbox:light-dark(#fff0ee,#2d1518)}
:root[data-theme=light]{color-scheme:light}:root[data-theme=dark]{color-scheme:dark}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Helvetica,Arial,sans-serif;overflow-wrap:break-word}
a{color:var(--link)}
.skip{position:absolute;left:-99in}.skip:focus{left:1rem;top:1rem;background:var(--bg);padding:.5rem;z-index:2}
.bar{position:sticky;top:0;z-index:1;display:flex;gap:.6rem;align-items:center;justify-content:flex-end;padding:.5rem 1.25rem;background:var(--bg);border-bottom:1px solid var(--line);font-size:.875rem}
.bar span{margin-right:auto;color:var(--soft);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.bar button{flex:none;font:inherit;color:var(--fg);background:var(--box);border:1px solid var(--line);border-radius:6px;padding:.15rem .7rem;cursor:pointer}
.bar button:hover{border-color:var(--soft)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.page{max-width:76rem;margin:0 auto;padding:0 1.25rem;display:grid;grid-template-columns:minmax(0,1fr);column-gap:3rem}
main{min-width:0;max-width:54rem;width:100%;padding:1rem 0 5rem;margin:0 auto}
.toc{font-size:.875rem;line-height:1.4;margin-top:1rem}
.toc summary{font-weight:600;cursor:pointer}
.toc ul{list-style:none;margin:.4rem 0;padding:0}.toc li{margin:.35rem 0}.toc .l3{padding-left:1rem}
.toc a{color:var(--soft);text-decoration:none}.toc a:hover{color:var(--link);text-decoration:underline}
@media (min-width:68rem){.with-toc{grid-template-columns:14rem minmax(0,1fr)}.with-toc main{margin:0}.toc{position:sticky;top:3.5rem;align-self:start;max-height:calc(100vh - 5rem);overflow:auto}}
h1,h2,h3,h4,h5,h6{line-height:1.25;margin:1.6em 0 .6em;scroll-margin-top:3.5rem}h1{font-size:2rem;margin-top:.8em}h1.name{font-size:1rem;font-weight:400;color:var(--soft);margin-top:1em}h2{font-size:1.45rem;padding-bottom:.25em;border-bottom:1px solid var(--line)}h3{font-size:1.15rem}h4,h5,h6{font-size:1rem}
.heading{font-weight:600}
/* Text from right to left begins at the right, line by line of the source. */
p,li,h1,h2,h3,h4,h5,h6,blockquote,td,th,dd,figcaption,caption,.stream{unicode-bidi:plaintext}
p,ul,ol,blockquote{margin:.8em 0}li{margin:.2em 0}
blockquote{border-left:4px solid var(--line);margin-left:0;padding-left:1rem;color:var(--soft)}
img,video{max-width:100%;height:auto}.missing-image{color:var(--soft);font-style:italic}
hr{border:0;border-top:1px solid var(--line);margin:2em 0}
code,pre,kbd{font-family:ui-monospace,SFMono-Regular,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;font-size:.85em}
:not(pre)>code{background:var(--box);border-radius:4px;padding:.15em .35em}
/* A shadow at the edge where there is more to scroll to. */
pre,.html{--under:var(--bg);background:linear-gradient(to right,var(--under) 40%,transparent) left/2.5rem 100% no-repeat local,linear-gradient(to left,var(--under) 40%,transparent) right/2.5rem 100% no-repeat local,radial-gradient(farthest-side at 0 50%,#6e768199,transparent) left/.75rem 100% no-repeat scroll,radial-gradient(farthest-side at 100% 50%,#6e768199,transparent) right/.75rem 100% no-repeat scroll,var(--under)}
pre{--under:var(--box);margin:.8em 0;padding:.75rem 1rem;border-radius:6px;overflow:auto;line-height:1.5}
pre code{font-size:1em;background:none;padding:0}pre{font-size:.84rem}
.cell{margin:1.2em 0}
details.input,details.output{margin:.4em 0}
details.input>pre{margin:.2em 0 0;border:1px solid var(--line)}
details.input>summary,details.output>summary{width:fit-content;cursor:pointer;color:var(--soft);font-size:.75rem;line-height:1.6;list-style-position:inside;border-radius:4px}
details>summary:hover{color:var(--fg)}
.stream{--under:var(--bg);border-left:3px solid var(--line);border-radius:0;padding:.1rem 0 .1rem .9rem;white-space:pre-wrap;max-height:40rem}
.stderr{border-color:light-dark(#9a6700,#d29922)}.error{--under:var(--redbox);border-color:var(--red);padding-block:.5rem}
.html{overflow-x:auto;contain:layout;margin:.8em 0}.html>:first-child{margin-top:0}.html>:last-child{margin-bottom:0}
.image{margin:.8em 0}.image img{background:#fff;border-radius:4px}
.chart{margin:1em 0}figure.captioned{margin:1em 0}figcaption,.caption{font-size:.875rem;color:var(--soft)}figcaption{margin:.4em 0}.markdown table:has(caption){min-width:min(100%,22rem)}.figure{text-align:center}.works p{padding-left:1.5em;text-indent:-1.5em}
table{border:0;border-collapse:collapse;margin:.8em 0;font-size:.875rem;font-variant-numeric:tabular-nums;line-height:1.4}
th,td{padding:.3rem .75rem;border:0;border-bottom:1px solid var(--line);text-align:start;vertical-align:top}
thead th{border-bottom:2px solid var(--line);vertical-align:bottom}
caption{text-align:left;font-weight:600;padding:.3rem 0}
.dataframe td,.dataframe th{white-space:nowrap}.dataframe tbody tr:hover,.sdtp-table tbody tr:hover{background:var(--box)}
.formula{overflow-x:auto;overflow-y:hidden;padding:.1em 0}code.formula{color:var(--red)}math{font-size:1.1em}
.task{list-style:none;margin-left:-1.4em}.task input{margin:0 .4em 0 0;vertical-align:-.1em;accent-color:#0969da}
.note{--note:light-dark(#0969da,#4493f8);border-left-color:var(--note);color:var(--fg);padding-block:.1rem}.note-title>strong:first-child{color:var(--note)}.tip{--note:light-dark(#1a7f37,#3fb950)}.important{--note:light-dark(#8250df,#ab7df8)}.warning{--note:light-dark(#9a6700,#d29922)}.caution{--note:light-dark(#cf222e,#f85149)}
progress{accent-color:#0969da}
.hljs-keyword,.hljs-type,.hljs-meta .hljs-keyword,.hljs-doctag{color:light-dark(#b3231b,#ff8a80)}.hljs-string,.hljs-regexp,.hljs-addition{color:light-dark(#0a3069,#a5d6ff)}.hljs-comment,.hljs-meta{color:var(--soft)}.hljs-number,.hljs-literal,.hljs-attr,.hljs-attribute,.hljs-selector-class,.hljs-selector-id,.hljs-symbol{color:light-dark(#0550ae,#79c0ff)}.hljs-title,.hljs-section,.hljs-name{color:light-dark(#6639ba,#d2a8ff)}.hljs-built_in,.hljs-variable.language_,.hljs-template-variable,.hljs-deletion{color:light-dark(#8a3c00,#ffa657)}.hljs-emphasis{font-style:italic}.hljs-strong{font-weight:600}
.ansi-black-fg{color:light-dark(#1f2328,#b1bac4)}.ansi-red-fg,.ansi-bright-red-fg{color:var(--red)}.ansi-green-fg,.ansi-bright-green-fg{color:light-dark(#116329,#56d364)}.ansi-yellow-fg,.ansi-bright-yellow-fg{color:light-dark(#7d4e00,#e3b341)}.ansi-blue-fg,.ansi-bright-blue-fg{color:light-dark(#0550ae,#79c0ff)}.ansi-magenta-fg,.ansi-bright-magenta-fg{color:light-dark(#8250df,#d2a8ff)}.ansi-cyan-fg,.ansi-bright-cyan-fg{color:light-dark(#1b6c74,#56d4dd)}.ansi-white-fg,.ansi-bright-black-fg{color:var(--soft)}.ansi-bright-white-fg{color:var(--fg)}
.ansi-black-bg{background:light-dark(#d1d9e0,#3d444d)}.ansi-red-bg,.ansi-bright-red-bg{background:light-dark(#ffcecb,#67060c)}.ansi-green-bg,.ansi-bright-green-bg{background:light-dark(#aceebb,#033a16)}.ansi-yellow-bg,.ansi-bright-yellow-bg{background:light-dark(#fae17d,#4b2900)}.ansi-blue-bg,.ansi-bright-blue-bg{background:light-dark(#b6e3ff,#0c2d6b)}.ansi-magenta-bg,.ansi-bright-magenta-bg{background:light-dark(#eddeff,#3c1e70)}.ansi-cyan-bg,.ansi-bright-cyan-bg{background:light-dark(#b3f0ff,#0a4d57)}.ansi-white-bg,.ansi-bright-black-bg,.ansi-bright-white-bg{background:light-dark(#eaeef2,#30363d)}
@page{size:A4;margin:18mm 16mm}
@media print{:root,:root[data-theme]{color-scheme:light}body{font-size:10.5pt}.bar,.skip,.toc{display:none}.page{display:block;padding:0;max-width:none}main{max-width:none;padding:0}h1{margin-top:0}h1,h2,h3,h4,h5,h6,caption{break-after:avoid}pre,.html{background:var(--under)}details.input{break-after:avoid}.markdown:has(+.cell)>:last-child,.output>p:not(:last-child){break-after:avoid}.output>.html,.output>.stream{break-inside:auto}.sdtp-note,caption{break-before:avoid}pre{orphans:4;widows:4;white-space:pre-wrap;overflow:visible;max-height:none}figure,.image,tr,blockquote{break-inside:avoid}thead{display:table-header-group}details.input>pre{break-inside:avoid}details:not([open]){display:none}details>summary{display:none}.html{overflow:visible;contain:none}.html,.html :not(progress,meter){max-height:none!important;overflow:visible!important}p{orphans:3;widows:3}a{color:inherit}}
${controlsCss}
`.trim();
