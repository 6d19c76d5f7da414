/** The kernel's logo, in the files that Jupyter looks for: bars of tokens that get shorter. */
const SVG =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="12" fill="#3178c6"/><g fill="#fff"><rect x="12" y="14" width="40" height="7" rx="3.5"/><rect x="12" y="25" width="32" height="7" rx="3.5"/><rect x="12" y="36" width="22" height="7" rx="3.5"/><rect x="12" y="47" width="13" height="7" rx="3.5"/></g></svg>';

const png = (lines: string[]): Buffer => Buffer.from(lines.join(""), "base64");

export const LOGOS: Record<string, string | Buffer> = {
  "logo-svg.svg": SVG,
  "logo-32x32.png": png([
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAYAAABzenr0AAABAUlEQVR42tVXMQ7CMAz02CfwjTyBD6GM2REfYGLkB4wszBnoWCEm",
    "BgQ/YEIRCnKVSh1IW1MnViLdendxzlYMylgIqJSxWhlbK2OdMtYzwwVuHbRa3U58oYxtEojG0ARN6G6eU7xvooJQEi8EDeFdpAzU",
    "kChwk4MJguItogY2h5t/u4+fe5ADucgGOMT7JsgGLs8XmwHkIhtYrs9+e7z73ekxC8iBXGQD4iH8twJjN86SgaE3z9IFQ6lPPgfG",
    "+r6cEBYxiqnlThJCSuCStCGl5dgHEXXolD+KV/trPgOxDHCbIHcBVoXbgJs6B7Aqc0P361Mq/i0XX0zEVzPx5VR0Pf8CJsissc9Y",
    "J8YAAAAASUVORK5CYII=",
  ]),
  "logo-64x64.png": png([
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAYAAACqaXHeAAABTUlEQVR42u2bQQrCMBBFc5RcITfqEVwG7IWkR+g+h3DjsuBWcNNF",
    "pZKCFFu0Gp1MXmCWxfzn9M9fdIzzwayUdT7UzofW+dA5H4ZMqot3rqOGRY1rwhvnQ5+R6KXqoxb7KoDK+XBRIHxel6htFcBOofB5",
    "7ZYAVAWIn6qaA7BK237tdbCPAJqCxE/VTACsErffMh2sibNyKLRqEwNDqQBak1nC+3piNAWLvxcAALDhof3hOJzO10HKGe8y3ukn",
    "AMYfknq2QHgbgKR//lknJAcg/dABeABTgBwAAAAAQJcJfmJyqsZgCghZBaEtQUddFKYD8ACmADkAAAAAgA4TTGluWY3Bf0IQEYRS",
    "BJzsojAdgAcwBcgBAAAAAPSYoASDEzEGpUNIHoT+GXLERGE6AA+QDaAreAp0fCzN5/IsTLAyw9IUa3MsTrI6y/J0qevzNzYys40d",
    "h9OWAAAAAElFTkSuQmCC",
  ]),
};
