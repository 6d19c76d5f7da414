import { join } from "node:path";
import type { Hono } from "hono";
import type { Assets } from "../assets.js";
import { body, pathAfter } from "../requests.js";
import { Refusal } from "../refusal.js";
import { digestName, Store } from "./store.js";

type Schemas = Readonly<Record<string, { version: string; schema: { properties?: Record<string, { default?: unknown }> } }>>;

/**
 * Where the lab begins with other settings than JupyterLab, which drops completions that took a second: the first of a kernel may,
 * on a machine that is busy with what the notebook is there for.
 */
const DEFAULTS: readonly (readonly [plugin: string, setting: string, value: unknown])[] = [["@jupyterlab/completer-extension:manager", "providerTimeout", 3000]];

export interface StateFolders {
  /** Jupyter's own, so that a user's choices hold in both. */
  readonly settings: string;
  /** Of this lab's folder. */
  readonly workspaces: string;
}

/** What JupyterLab remembers: settings, the arrangement of its panels, the front end's configuration. */
export function stateRoutes(app: Hono, assets: Assets, folders: StateFolders): void {
  settingsRoutes(app, assets, new Store(folders.settings, ".jupyterlab-settings"));
  workspaceRoutes(app, new Store(folders.workspaces, ".jupyterlab-workspace"));
  configRoutes(app, new Store(join(folders.workspaces, "config"), ".json"));

  // English alone: language packs are Python packages.
  app.get("/lab/api/translations", (c) => c.json({ data: { en: { displayName: "English", nativeName: "English" } }, message: "" }));
  app.get("/lab/api/translations/*", (c) => c.json({ data: {}, message: "" }));
}

function settingsRoutes(app: Hono, assets: Assets, store: Store): void {
  const prefix = "/lab/api/settings";
  let schemas: Schemas | undefined;
  const all = () => (schemas ??= withDefaults(JSON.parse(assets.text("schemas.json")) as Schemas));
  const entry = async (id: string) => {
    const known = all()[id];
    if (!known) throw new Refusal(404, `settings: ${id} (no plugin of that name has any)`);
    const saved = await store.read(id);
    return { id, raw: saved?.text ?? "{}", schema: known.schema, settings: {}, version: known.version, ...(saved && { created: saved.created, last_modified: saved.lastModified }) };
  };
  app.get(prefix, async (c) => {
    const ids = Object.keys(all());
    if (c.req.query("ids_only") === "true") return c.json({ settings: ids.map((id) => ({ id })) });
    return c.json({ settings: await Promise.all(ids.map(entry)) });
  });
  app.get(`${prefix}/*`, async (c) => {
    const id = pathAfter(c, prefix);
    if (id === "") return c.json({ settings: await Promise.all(Object.keys(all()).map(entry)) });
    return c.json(await entry(id));
  });
  app.put(`${prefix}/*`, async (c) => {
    const id = pathAfter(c, prefix);
    if (!all()[id]) throw new Refusal(404, `settings: ${id} (no plugin of that name has any)`);
    const { raw } = await body<{ raw?: unknown }>(c);
    if (typeof raw !== "string") throw new Refusal(400, "raw: must be the settings' text");
    await store.write(id, raw);
    return c.body(null, 204);
  });
}

function withDefaults(schemas: Schemas): Schemas {
  for (const [plugin, setting, value] of DEFAULTS) {
    const property = schemas[plugin]?.schema.properties?.[setting];
    if (property) property.default = value;
  }
  return schemas;
}

function workspaceRoutes(app: Hono, store: Store): void {
  const prefix = "/lab/api/workspaces";
  app.get(prefix, async (c) => {
    const values = (await store.texts()).map((text) => objectIn<{ metadata?: { id?: unknown } }>(text)).filter((value) => typeof value.metadata?.id === "string") as { metadata: { id: string } }[];
    return c.json({ workspaces: { ids: values.map(({ metadata }) => metadata.id), values } });
  });
  app.get(`${prefix}/*`, async (c) => {
    const id = pathAfter(c, prefix);
    return c.json({ data: {}, metadata: { id }, ...objectIn((await store.read(digestName(id)))?.text) });
  });
  app.put(`${prefix}/*`, async (c) => {
    const id = pathAfter(c, prefix);
    const workspace = await body<{ data?: object; metadata?: object }>(c);
    await store.write(digestName(id), JSON.stringify({ data: workspace.data ?? {}, metadata: { ...workspace.metadata, id, last_modified: new Date().toISOString() } }));
    return c.body(null, 204);
  });
  app.delete(`${prefix}/*`, async (c) => {
    await store.remove(digestName(pathAfter(c, prefix)));
    return c.body(null, 204);
  });
}

function configRoutes(app: Hono, store: Store): void {
  const read = async (section: string) => objectIn<Record<string, unknown>>((await store.read(section))?.text);
  app.get("/api/config/:section", async (c) => c.json(await read(c.req.param("section"))));
  app.put("/api/config/:section", async (c) => {
    await store.write(c.req.param("section"), JSON.stringify(await body(c)));
    return c.body(null, 204);
  });
  app.patch("/api/config/:section", async (c) => {
    const section = c.req.param("section");
    const merged = merge(await read(section), await body<Record<string, unknown>>(c));
    await store.write(section, JSON.stringify(merged));
    return c.json(merged);
  });
}

/** What is no JSON object any more (a disk that was full, an editor) counts as nothing: the lab opens all the same. */
function objectIn<T extends object>(text = "{}"): Partial<T> & object {
  try {
    const value = JSON.parse(text) as unknown;
    return isObject(value) ? (value as Partial<T>) : {};
  } catch {
    return {};
  }
}

/** `null` takes a key away. */
function merge(before: Record<string, unknown>, change: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...before };
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete merged[key];
    else merged[key] = isObject(value) && isObject(merged[key]) ? merge(merged[key], value) : value;
  }
  return merged;
}

const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === "object" && !Array.isArray(value);
