/** The Jupyter protocol: messages, signing, framing, connection files, kernelspecs, a client. */
export * from "./messages.js";
export * from "./wire.js";
export * from "./connection.js";
export * from "./paths.js";
export * from "./kernelspec.js";
export * from "./client.js";
export * from "./launch.js";
