import { type Comm, host } from "./host.js";

/** https://github.com/jupyter-widgets/ipywidgets/blob/main/packages/schema/messages.md, and anywidget's "AFM" on top of it. */
const PROTOCOL = "2.1.0";
/** Any version that is installed: what is used of it has been there since 0.9. */
const ANYWIDGET = { module: "anywidget", version: "*" };

type State = Readonly<Record<string, unknown>>;

export interface WidgetParts {
  /** A module that exports `{ render({ model, el }) }`. */
  readonly esm: string;
  readonly css: string;
  readonly state: State;
  /** Called with what the client changed. */
  readonly changed: (state: State) => void;
  /** Called with messages of the module's own, and what answers them. */
  readonly asked: (content: Record<string, unknown>, answer: (content: object, buffers?: Uint8Array[]) => void) => void;
}

/** Widgets that are open, for clients that come later. */
const open = new Map<string, Widget>();
let listens = false;

/** A model of the anywidget protocol in this kernel; its views are in the clients. */
export class Widget {
  #state: State;
  readonly #comm: Comm;

  /** @param id names the widget's style in the page */
  constructor(id: string, { esm, css, state, changed, asked }: WidgetParts) {
    const { module, version } = ANYWIDGET;
    this.#state = {
      _model_module: module, _model_module_version: version, _model_name: "AnyModel",
      _view_module: module, _view_module_version: version, _view_name: "AnyView", _view_count: null,
      _anywidget_id: id, _esm: esm, _css: css, ...state,
    };
    const { comms } = host();
    this.#comm = comms.open("jupyter.widget", { state: this.#state, buffer_paths: [] }, { version: PROTOCOL });
    open.set(this.id, this);
    this.#comm.onClose(() => open.delete(this.id));
    this.#comm.onMessage((data) => {
      if (data["method"] === "request_state") this.#send("update", this.#state);
      else if (data["method"] === "custom") asked((data["content"] ?? {}) as Record<string, unknown>, (content, buffers = []) => this.#comm.send({ method: "custom", content }, {}, buffers));
      else if (data["method"] === "update") {
        const given = (data["state"] ?? {}) as State;
        const own = Object.fromEntries(Object.entries(given).filter(([key]) => key in state));
        this.#state = { ...this.#state, ...own };
        // Other clients hear of it, and the one that changed it that it came.
        this.#send("echo_update", own);
        changed(own);
      }
    });
    if (!listens) comms.register("jupyter.widget.control", answerStates);
    listens = true;
  }

  /** The model's id, for `application/vnd.jupyter.widget-view+json`. */
  get id(): string {
    return this.#comm.id;
  }

  get state(): State {
    return this.#state;
  }

  /** Changes the state, here and in every client. */
  set(state: State): void {
    this.#state = { ...this.#state, ...state };
    this.#send("update", state);
  }

  close(): void {
    open.delete(this.id);
    this.#comm.close();
  }

  #send(method: "update" | "echo_update", state: State): void {
    this.#comm.send({ method, state, buffer_paths: [] });
  }
}

/** A client that connects to a running kernel asks for all widgets at once. */
function answerStates(comm: Comm): void {
  comm.onMessage(({ method }) => {
    if (method !== "request_states") return;
    const states = Object.fromEntries([...open.values()].map(({ id, state }) => {
      const { _model_module: model_module, _model_module_version: model_module_version, _model_name: model_name } = state;
      return [id, { model_module, model_module_version, model_name, state }];
    }));
    comm.send({ method: "update_states", states, buffer_paths: [] });
  });
}
