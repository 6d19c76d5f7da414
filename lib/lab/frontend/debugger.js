// What JupyterLab's debugger leaves out where a page is loaded at a stop: the line is highlighted when a frame is chosen, and the
// frame is chosen before the cells' editors are there; and the session that goes on is not asked what it can do.
import { IDebugger } from "@jupyterlab/debugger";
import { INotebookTracker } from "@jupyterlab/notebook";

const atStop = {
  id: "sdtp-notebook:debugger-at-stop",
  description: "Highlights the current line, and knows the kernel's debugger, in a page that was loaded at a stop.",
  autoStart: true,
  requires: [IDebugger, INotebookTracker],
  activate: (app, service, tracker) => {
    tracker.widgetAdded.connect((_, panel) => {
      let timer;
      const choose = () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          const { callstack } = service.model;
          if (!panel.isDisposed && service.session?.connection?.path === panel.sessionContext.session?.path && callstack.frame) callstack.frame = callstack.frame;
        });
      };
      const observer = new MutationObserver(() => {
        if (panel.node.dataset.jpDebugger !== "true") return;
        const { session } = service;
        if (session?.isStarted && session.capabilities === undefined) void session.start().catch((error) => console.warn(error));
        for (const cell of panel.content.widgets) void cell.ready.then(choose);
      });
      observer.observe(panel.node, { attributes: true, attributeFilter: ["data-jp-debugger"] });
      panel.disposed.connect(() => observer.disconnect());
    });
  },
};

export default [atStop];
