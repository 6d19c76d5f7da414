/** What the API answers where a request cannot be met. https://platform.openai.com/docs/guides/error-codes */
export class ApiError extends Error {
  override name = "ApiError";
  readonly type: string;
  /** The request's field that is wrong. */
  readonly param: string | null;
  readonly code: string | null;

  constructor(
    readonly status: 400 | 401 | 404 | 405 | 413 | 429 | 499 | 500 | 503 | 504,
    message: string,
    { type = "invalid_request_error", param = null, code = null }: { type?: string; param?: string | null; code?: string | null } = {},
  ) {
    super(message);
    this.type = type;
    this.param = param;
    this.code = code;
  }

  get body() {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code } };
  }
}

/** A field's error as the API has it. */
export const wrong = (param: string, message: string): ApiError => new ApiError(400, `${param}: ${message}`, { param });
