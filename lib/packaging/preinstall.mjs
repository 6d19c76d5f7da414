// Runs before any package's postinstall when this package is installed with npm. onnxruntime-node's postinstall
// downloads the CUDA provider (hundreds of MB, from elsewhere than the registry) unless its files are there, and an
// install without that host would fail. CUDA is a choice: until it is made, small text files stand in for it.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const { env, platform, arch } = process;
const asked = ["ONNXRUNTIME_NODE_INSTALL", "ONNXRUNTIME_NODE_INSTALL_CUDA", "npm_config_onnxruntime_node_install", "npm_config_onnxruntime_node_install_cuda"];
if (!asked.some((name) => env[name])) standIn();

function standIn() {
  const require = createRequire(import.meta.url);
  let folder, metadata;
  try {
    folder = dirname(require.resolve("onnxruntime-node/package.json"));
    metadata = require("onnxruntime-node/script/install-metadata.js");
  } catch {
    return; // Not there yet: this package manager installs in another order, or this is a checkout.
  }
  const binaries = join(folder, "bin", "napi-v6", platform, arch);
  for (const name of metadata.requirements[`${platform}/${arch}`] ?? []) {
    for (const file of Object.keys(metadata.manifests[`${platform}/${arch}:${name}`] ?? {})) {
      const path = join(binaries, file);
      if (existsSync(path)) continue;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "Not installed. ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node installs it.\n");
    }
  }
}
