// Widgets of the anywidget protocol, whose code comes from the kernel.
import { IJupyterWidgetRegistry } from "@jupyter-widgets/base";

export default {
  id: "sdtp-notebook:anywidget",
  description: "Renders anywidget widgets.",
  autoStart: true,
  requires: [IJupyterWidgetRegistry],
  activate: (app, registry) => {
    registry.registerWidget({
      name: "anywidget",
      version: ANYWIDGET_VERSION,
      exports: () => import("anywidget").then((module) => module.default ?? module),
    });
  },
};
