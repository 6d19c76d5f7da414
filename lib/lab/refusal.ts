/** A request that is refused: its status, and the sentence that JupyterLab shows. */
export class Refusal extends Error {
  constructor(readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 500 | 501 | 507, message: string) {
    super(message);
  }
}

/** What went wrong with a file, in words for whoever asked; `path` as they wrote it. */
export function fileRefusal(error: unknown, path: string): Refusal {
  if (error instanceof Refusal) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  // Messages of this package end in `(cannot be written: CODE)`.
  const reason = code ?? /\(cannot be written: ([A-Z]+)\)/.exec(message)?.[1];
  switch (reason) {
    case "ENOENT": case "ENOTDIR": return new Refusal(404, `${path}: there is no such file or folder`);
    case "EEXIST": return new Refusal(409, `${path}: is there already`);
    case "EACCES": case "EPERM": case "EROFS": return new Refusal(403, `${path}: this user may not do that (${reason})`);
    case "ENOTEMPTY": return new Refusal(400, `${path}: the folder is not empty`);
    case "ENOSPC": case "EDQUOT": return new Refusal(507, `${path}: the disk is full; nothing was written, the file is as it was`);
    case "EFBIG": return new Refusal(507, `${path}: is larger than a file may be here; nothing was written, the file is as it was`);
    case "ENAMETOOLONG": return new Refusal(400, `${path}: the name is too long`);
    default: return new Refusal(500, `${path}: ${message}`);
  }
}
