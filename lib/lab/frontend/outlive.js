// What a tab does so that work outlives it: it saves a notebook when a cell of it is run, shows what runs already in a notebook
// that it opens, and takes over what others change on the disk. The server's part is ../kernels/keeper.ts.
import { IDocumentManager } from "@jupyterlab/docmanager";
import { INotebookTracker, NotebookActions } from "@jupyterlab/notebook";
import { ServerConnection } from "@jupyterlab/services";

/** Milliseconds between a run and its save (one for many cells), and between looks at open files. */
const SAVE = 300;
const LOOK = 3000;

const saveOnRun = {
  id: "sdtp-notebook:save-on-run",
  description: "Saves a notebook when a cell of it is run, so that its outputs find their cell when the tab is closed.",
  autoStart: true,
  requires: [INotebookTracker],
  activate: (app, tracker) => {
    const timers = new Map();
    NotebookActions.executionScheduled.connect((_, { notebook }) => {
      const panel = tracker.find((each) => each.content === notebook);
      const context = panel?.context;
      if (!context || timers.has(context)) return;
      timers.set(context, setTimeout(() => {
        timers.delete(context);
        if (!context.isDisposed && context.model.dirty && !context.model.readOnly && context.contentsModel?.writable) void context.save();
      }, SAVE));
    });
  },
};

const saveInTurn = {
  id: "sdtp-notebook:save-in-turn",
  description: "Saves of a notebook wait for one another: one that begins amid another finds a file that has changed, and would ask what to do.",
  autoStart: true,
  requires: [INotebookTracker],
  activate: (app, tracker) => {
    tracker.widgetAdded.connect((_, { context }) => {
      if (Object.hasOwn(context, "save")) return;
      const save = context.save.bind(context);
      let last = Promise.resolve();
      context.save = () => (last = last.then(save, save));
    });
  },
};

const follow = {
  id: "sdtp-notebook:follow",
  description: "Shows the outputs of cells that ran before the notebook was opened in this tab.",
  autoStart: true,
  requires: [INotebookTracker],
  activate: (app, tracker) => {
    const settings = app.serviceManager.serverSettings;
    tracker.widgetAdded.connect((_, panel) => {
      const { sessionContext, context } = panel;
      const seen = new Set();
      const connected = () => {
        const kernel = sessionContext.session?.kernel;
        if (!kernel || kernel.connectionStatus !== "connected" || seen.has(kernel.clientId)) return;
        seen.add(kernel.clientId);
        void context.ready.then(() => followKernel(settings, panel, kernel)).catch((error) => console.error(error));
      };
      sessionContext.connectionStatusChanged.connect(connected);
      sessionContext.kernelChanged.connect(connected);
      connected();
    });
  },
};

/**
 * Outputs so far by the server's list, and from then on by the kernel's messages: the server puts a mark among those, behind what is
 * in the list.
 */
async function followKernel(settings, panel, kernel) {
  const messages = [];
  let arrived = () => {};
  const gather = (_, message) => {
    messages.push(message);
    arrived();
  };
  kernel.iopubMessage.connect(gather);
  try {
    const path = panel.context.localPath;
    const answer = await ServerConnection.makeRequest(`${settings.baseUrl}lab/api/running`, { method: "POST", body: JSON.stringify({ path, session: kernel.clientId }) }, settings);
    if (!answer.ok) return;
    const { mark, running } = await answer.json();
    const cells = new Map([...(panel.content.model?.cells ?? [])].map((model) => [model.id, model]));
    // What this tab itself sent is not in the list: JupyterLab shows that.
    const known = running.filter(({ cell_id: id }) => cells.get(id)?.type === "code");
    if (known.length === 0) return;
    const at = () => messages.findIndex(({ header }) => header.msg_id === mark);
    while (mark !== null && at() < 0 && kernel.connectionStatus === "connected" && !panel.isDisposed) {
      await new Promise((resolve) => {
        arrived = resolve;
        kernel.connectionStatusChanged.connect(resolve);
        panel.disposed.connect(resolve);
      });
    }
    if (panel.isDisposed) return;
    const followed = new Map(known.map((each) => [each.msg_id, new Followed(cells.get(each.cell_id), each)]));
    const receive = (_, message) => {
      if (panel.isDisposed) return void kernel.iopubMessage.disconnect(receive);
      if (message.header.msg_type === "update_display_data") for (const each of followed.values()) each.update(message.content);
      else followed.get(message.parent_header.msg_id)?.receive(message);
    };
    for (const message of messages.slice(at() + 1)) receive(kernel, message);
    kernel.iopubMessage.connect(receive);
  } finally {
    kernel.iopubMessage.disconnect(gather);
  }
}

/** A cell whose outputs come from an execution that this tab did not start. */
class Followed {
  constructor(model, { outputs, displays, execution_count: count, done }) {
    this.model = model;
    this.displays = new Map(Object.entries(displays));
    this.clears = false;
    model.trusted = true;
    model.outputs.fromJSON(outputs);
    model.executionCount = count;
    if (!done) model.executionState = "running";
  }

  receive({ header, content }) {
    const { model } = this;
    switch (header.msg_type) {
      case "execute_input":
        model.executionCount = content.execution_count;
        model.executionState = "running";
        break;
      case "stream":
      case "error":
        this.cleared();
        model.outputs.add({ ...content, output_type: header.msg_type });
        break;
      case "display_data":
      case "execute_result": {
        this.cleared();
        const { transient, ...output } = content;
        const at = model.outputs.add({ ...output, output_type: header.msg_type }) - 1;
        if (transient?.display_id !== undefined) this.displays.set(transient.display_id, [...(this.displays.get(transient.display_id) ?? []), at]);
        break;
      }
      case "update_display_data":
        this.update(content);
        break;
      case "clear_output":
        model.outputs.clear(content.wait);
        this.clears = true;
        if (!content.wait) this.cleared();
        break;
      case "status":
        if (content.execution_state === "idle") model.executionState = "idle";
    }
  }

  /** What was shown is gone. */
  cleared() {
    if (this.clears) this.displays.clear();
    this.clears = false;
  }

  update({ data, metadata, transient }) {
    for (const at of this.displays.get(transient?.display_id) ?? []) if (at < this.model.outputs.length) this.model.outputs.set(at, { output_type: "display_data", data, metadata });
  }
}

const refresh = {
  id: "sdtp-notebook:refresh",
  description: "Shows what others wrote into a file that is open here and was not changed here.",
  autoStart: true,
  requires: [IDocumentManager],
  activate: (app, documents) => {
    const { contents } = app.serviceManager;
    const look = async () => {
      const contexts = new Set([...app.shell.widgets("main")].map((widget) => documents.contextForWidget(widget)).filter(Boolean));
      for (const context of contexts) {
        const known = context.contentsModel;
        if (context.isDisposed || !context.isReady || !known || context.model.dirty) continue;
        const cells = context.model.cells;
        if (cells && [...cells].some(({ executionState }) => executionState === "running")) continue;
        const now = await contents.get(context.path, { content: false }).catch(() => undefined);
        if (!now || context.isDisposed || context.model.dirty || context.contentsModel?.last_modified !== known.last_modified) continue;
        if (new Date(now.last_modified) > new Date(known.last_modified)) await context.revert();
      }
    };
    const again = () => setTimeout(() => void (document.hidden ? Promise.resolve() : look().catch((error) => console.warn(error))).then(again), LOOK);
    again();
  },
};

export default [saveOnRun, saveInTurn, follow, refresh];
