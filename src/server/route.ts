/**
 * What the server can be asked, as values: whoever has something to answer hands in routes, and none of them has to think of
 * hosts, origins, tokens and limits. Those are looked at before `answer` is called (guard.ts).
 */

/**
 * nobody: any caller. reader: on another address than loopback, who has `server.token` or the operator's. operator: only
 * who has the operator's token, on loopback too, since whatever acts must not be done by a page that a person has open.
 */
export type Needs = 'nobody' | 'reader' | 'operator'

export interface Route {
  readonly method: 'GET' | 'POST'
  /** `/api/v1/incidents/:id`: parts with a colon are handed over as `params`. */
  readonly path: string
  /** A route that is not GET acts, and must need the operator. */
  readonly needs: Needs
  /** A failure is answered with 500 and nothing of what it says, which goes to the log. */
  readonly answer: (asked: Asked) => Answer | Promise<Answer>
}

export interface Asked {
  readonly params: Readonly<Record<string, string>>
  /** As it was sent: the first of each name. */
  readonly query: Readonly<Record<string, string>>
  /** Parsed JSON, of whatever shape: whoever answers checks it. Undefined without a body. */
  readonly body: unknown
}

export interface Answer {
  readonly status: number
  /** An object is sent as JSON, text as `type`. */
  readonly body: object | string
  /** `text/plain; charset=utf-8` unless told; of an object always JSON. */
  readonly type?: string
  /** Beside, or in the place of, those that every answer has: a page has a policy of its own. */
  readonly headers?: Readonly<Record<string, string>>
}

/** How every refusal and failure looks: a word for machines and a sentence for people. */
export const problem = (status: number, error: string, says: string): Answer => ({ status, body: { error, says } })
