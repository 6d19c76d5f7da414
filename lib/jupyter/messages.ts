/**
 * Messages of the Jupyter protocol. Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html
 */
export const PROTOCOL_VERSION = "5.5";

export type Channel = "shell" | "iopub" | "stdin" | "control" | "hb";

export interface Header {
  msg_id: string;
  session: string;
  username: string;
  /** ISO 8601 */
  date: string;
  msg_type: string;
  version: string;
  /** The subshell that a message on shell is for (JEP 91); without it, the kernel's own. */
  subshell_id?: string | null;
}

/** A field that may hold anything JSON can. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };
export type JsonObject = { [key: string]: Json | undefined };

export interface Message<Content = JsonObject> {
  header: Header;
  /** Empty where no request caused the message. */
  parent_header: Header | Record<string, never>;
  metadata: JsonObject;
  content: Content;
  buffers: Uint8Array[];
  /** Routing frames in front of the delimiter: the peers' identities, or the topic on iopub. */
  identities: Uint8Array[];
}

/** One value in several representations, keyed by MIME type. Binary types are base64. */
export interface MimeBundle {
  data: JsonObject;
  metadata: JsonObject;
}

export interface StreamContent {
  name: "stdout" | "stderr";
  text: string;
}

export interface DisplayContent extends MimeBundle {
  transient?: { display_id?: string };
}

export interface ExecuteResultContent extends MimeBundle {
  execution_count: number;
}

export interface ErrorContent {
  ename: string;
  evalue: string;
  traceback: string[];
}

export interface ExecuteRequest {
  code: string;
  silent: boolean;
  store_history: boolean;
  user_expressions: Record<string, string>;
  allow_stdin: boolean;
  stop_on_error: boolean;
}

/** `error` carries the fields of {@link ErrorContent}. */
export interface ExecuteReply extends Partial<ErrorContent> {
  status: "ok" | "error" | "aborted";
  execution_count: number;
  user_expressions?: JsonObject;
  payload?: JsonObject[];
  /** Of the message; our kernel tells stale cells there: `{ sdtp: { stale: [{ cell, count, because }] } }`. */
  metadata?: JsonObject;
}

export interface KernelInfoReply {
  status: "ok";
  protocol_version: string;
  implementation: string;
  implementation_version: string;
  language_info: {
    name: string;
    version: string;
    mimetype: string;
    file_extension: string;
    pygments_lexer?: string;
    codemirror_mode?: string | JsonObject;
    nbconvert_exporter?: string;
  };
  banner: string;
  debugger?: boolean;
  supported_features?: string[];
  help_links: { text: string; url: string }[];
}

export interface CompleteReply {
  status: "ok";
  matches: string[];
  /** In Unicode code points, as every cursor position of the protocol. */
  cursor_start: number;
  cursor_end: number;
  metadata: JsonObject;
}

export interface InspectReply {
  status: "ok";
  found: boolean;
  data: JsonObject;
  metadata: JsonObject;
}

export interface IsCompleteReply {
  status: "complete" | "incomplete" | "invalid" | "unknown";
  indent?: string;
}

export interface HistoryReply {
  status: "ok";
  /** `[session, line, input]`, or `[session, line, [input, output]]` where output was asked for. */
  history: [number, number, string | [string, string | null]][];
}

export interface CommInfoReply {
  status: "ok";
  comms: Record<string, { target_name: string }>;
}

export interface InputRequest {
  prompt: string;
  password: boolean;
}

/** An error in a cell that was not run. Lines and columns count from 1. */
export interface CellDiagnostic {
  message: string;
  /** TypeScript's. */
  code: number;
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
  /** Where it is in a module that the cell imports. */
  file?: string;
}

/** What our kernel's compiler finds out about a cell without running it. */
export interface CheckedCell {
  /** The first errors, and how many more there are. */
  diagnostics: CellDiagnostic[];
  more: number;
  /** Top-level names that it declares. */
  declares: string[];
  /** Variables of earlier cells that it uses: the position of the cell that declares each, and whether it may change it. */
  references: { cell: number; name: string; access: "read" | "write"; shared?: true; calls?: true }[];
  /** Its own variables that its functions change when they are called. */
  changes: string[];
  /** Its own variables that may hold the same objects, in groups. */
  aliases: string[][];
}

/** The reply to `sdtp_check_request`, a message of our own: `{ cells }` are the sources of a notebook's cells in order. */
export interface CheckReply {
  status: "ok";
  cells: CheckedCell[];
  /** What a tsconfig.json asks for in vain. */
  remark?: string;
}
