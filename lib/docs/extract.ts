import { join } from "node:path";
import ts from "@tslab/typescript-for-tslab";
import { packageRoot } from "../checkpoint/package-root.js";

/** A public name, or a member of one. */
export interface Entry {
  /** As a cell writes it: `sdtp.chart.speedup`, `display`, `Model.prefill`. */
  readonly name: string;
  readonly kind: "function" | "class" | "type" | "value" | "member";
  /** Signatures, or the declaration of a type. */
  readonly code: string;
  readonly description: string;
  readonly tags: readonly { readonly name: string; readonly text: string }[];
  readonly members: readonly Entry[];
  /** Where it is declared, from the package: `lib/runtime/model.ts`. */
  readonly file: string;
}

const FLAGS = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope | ts.TypeFormatFlags.WriteArrowStyleSignature;

/**
 * What a cell sees without an import, read from the built declarations with their doc comments: `sdtp`, and the kernel's own functions.
 * @throws where the project is not built
 */
export function extract(): Entry[] {
  const root = packageRoot();
  const files = [join(root, "dist", "lib", "index.d.ts"), join(root, "dist", "kernel", "child", "api.d.ts")];
  const missing = files.find((file) => !ts.sys.fileExists(file));
  if (missing !== undefined) throw new Error(`docs: ${missing} (not there: npm run build first)`);
  const program = ts.createProgram(files, { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, target: ts.ScriptTarget.ES2022, skipLibCheck: true, strict: true, types: ["node"] });
  const reader = new Reader(program.getTypeChecker(), join(root, "dist"));
  const [library, kernel] = files.map((file) => reader.exportsOf(program.getSourceFile(file)!));
  return [...library!.flatMap((symbol) => reader.entries(symbol, "sdtp.")), ...kernel!.flatMap((symbol) => reader.entries(symbol, ""))];
}

class Reader {
  constructor(
    private readonly checker: ts.TypeChecker,
    private readonly dist: string,
  ) {}

  exportsOf(file: ts.SourceFile): ts.Symbol[] {
    const module = this.checker.getSymbolAtLocation(file);
    return module ? this.checker.getExportsOfModule(module) : [];
  }

  /** A namespace gives the names in it. */
  entries(exported: ts.Symbol, prefix: string): Entry[] {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(exported) : exported;
    const [declaration] = symbol.declarations ?? [];
    if (!declaration) return [];
    if (ts.isSourceFile(declaration)) return this.exportsOf(declaration).flatMap((each) => this.entries(each, `${prefix}${exported.name}.`));
    return [this.entry(symbol, `${prefix}${exported.name}`, declaration)];
  }

  private entry(symbol: ts.Symbol, name: string, declaration: ts.Declaration): Entry {
    const kind = symbol.flags & ts.SymbolFlags.Function ? "function" : symbol.flags & ts.SymbolFlags.Class ? "class" : symbol.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias) ? "type" : "value";
    const type = this.checker.getTypeOfSymbolAtLocation(symbol, declaration);
    const short = name.split(".").at(-1)!;
    const signatures = type.getCallSignatures().map((signature) => `${short}${this.checker.signatureToString(signature, undefined, FLAGS & ~ts.TypeFormatFlags.WriteArrowStyleSignature, ts.SignatureKind.Call)}`);
    const code = kind === "type" ? declaration.getText().replace(/^export (declare )?/, "") : kind === "class" ? `class ${short}` : signatures.length > 0 ? signatures.join("\n") : `${short}: ${this.checker.typeToString(type, declaration, FLAGS)}`;
    return { ...this.said(symbol), name, kind, code: withoutComments(code), members: kind === "class" ? this.members(symbol, short) : [], file: this.fileOf(declaration) };
  }

  /** Public members of a class, with those that are made of it. */
  private members(symbol: ts.Symbol, owner: string): Entry[] {
    const instance = this.checker.getPropertiesOfType(this.checker.getDeclaredTypeOfSymbol(symbol));
    return instance.flatMap((member): Entry[] => {
      const [declaration] = member.declarations ?? [];
      if (!declaration || /^(#|__|\[)/.test(member.name) || ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected) || !declaration.getSourceFile().fileName.startsWith(this.dist)) return [];
      const type = this.checker.getTypeOfSymbolAtLocation(member, declaration);
      const signatures = type.getCallSignatures().map((signature) => `${member.name}${this.checker.signatureToString(signature, undefined, FLAGS & ~ts.TypeFormatFlags.WriteArrowStyleSignature, ts.SignatureKind.Call)}`);
      return [{ ...this.said(member), name: `${owner}.${member.name}`, kind: "member", code: signatures.length > 0 ? signatures.join("\n") : `${member.name}: ${this.checker.typeToString(type, declaration, FLAGS)}`, members: [], file: this.fileOf(declaration) }];
    });
  }

  private said(symbol: ts.Symbol): Pick<Entry, "description" | "tags"> {
    return {
      description: ts.displayPartsToString(symbol.getDocumentationComment(this.checker)),
      tags: symbol.getJsDocTags(this.checker).map((tag) => ({ name: tag.name, text: tagText(tag) })),
    };
  }

  private fileOf(declaration: ts.Declaration): string {
    const file = declaration.getSourceFile().fileName;
    return file.startsWith(this.dist) ? file.slice(this.dist.length + 1).replace(/\.d\.ts$/, ".ts") : file.replace(/^.*node_modules\//, "");
  }
}

/** A parameter's name in code, and what is said of it. */
function tagText({ text = [] }: ts.JSDocTagInfo): string {
  const name = text.find(({ kind }) => kind === "parameterName");
  const rest = ts.displayPartsToString(text.filter((part) => part !== name)).trim();
  return name ? `\`${name.text}\` ${rest}` : rest;
}

/** The comments of fields stay, as they say what the fields are; import paths of other files are no use to a reader. */
const withoutComments = (code: string): string => code.replace(/import\("[^"]*"\)\./g, "").replace(/^ {4}/gm, "  ");
