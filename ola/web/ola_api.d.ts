// Types of ola_api.js, the client of /ola_socket. As a classic script it makes the global "ola"; it is a CommonJS module as well.

declare const ola: ola.Client;
export = ola;
export as namespace ola;

declare namespace ola {
  /** What a method sends is answered by this. An answer with another code than 200 is an OlaError. */
  interface Reply {
    event_name: "command/reply";
    event_type: "command/reply";
    cmd: string;
    uuid: string;
    code: number;
    result: string;
  }

  /** Why something was not done. */
  interface OlaError extends Error {
    /**
     * The server's code: 400 bad argument, 401 not logged in, 403 not yours, 404 no such thing or no call, 409 wrong state, 429 too much,
     * 501 not there, 503 nothing was sent or done, 504 it may have been done: do not repeat blindly.
     */
    code: number;
    result: string;
    cmd: string;
  }

  /** What an agent does. Strings are "" when there is nothing to tell, the four marked ones "undefined". */
  interface AgentState {
    event_type: "agent_state";
    state: State;
    old_state: State | "";
    /** Uniqueid of the agent's channel. */
    call_accept: string;
    /** Uniqueid of the other party's channel. */
    other_accept: string;
    agent_id: string;
    agent_extn: string;
    agent_name: string;
    queue_id: string[];
    skill: number;
    calls_queued: number;
    /** Seconds. */
    max_queued_time: number;
    /** The caller's number. */
    call_id: string;
    call_type: "inbound" | "outbound" | "";
    ani: string;
    dnis: string;
    this_type: "agent";
    this_dn: string;
    other_type: string;
    other_dn: string;
    third_type: string;
    third_dn: string;
    /** Milliseconds since 1970. */
    timestamp: number;
    /** "answered" where the server is set so. */
    private_data: "ring" | "answer" | "answered" | "";
    /** "undefined" without a call. */
    call_direction: "inbound" | "outbound" | "undefined";
    other_answered: boolean;
    /** The last keys that were collected, else "undefined". */
    dtmf: string;
    /** All of them with commas, else "undefined". */
    dtmf_his: string;
    /** The trunk, else "undefined". */
    gateway: string;
    app_data: {
      other_str?: string;
      /** The agent's call is on hold: by a command, or by his phone's own key. */
      hold?: "server" | "phone";
      /** Number of whom he asks while the other party waits; "" while that is not known. */
      consult?: string;
      /** Names that consultation, for complete. */
      consult_id?: string;
      /** No phone of his is registered, or it does not answer. */
      sip_state?: "false";
    };
  }

  type State = "ready" | "unready" | "logout" | "login" | "busy" | "acw";

  /** Somebody begins to wait in a queue ("in"), or does not wait any more. */
  interface CallerState {
    event_type: "agent_caller_state";
    action: "in" | "out";
    queue_id: string;
    /** uuid is what take_call wants. */
    caller: { uuid: string; cid_number: string };
    timestamp: number;
  }

  type Message = Reply | AgentState | CallerState;

  /** How a connection ended; a browser's CloseEvent is one. */
  interface Closed {
    type: string;
    code: number;
    reason: string;
    wasClean: boolean;
  }

  /** Milliseconds. */
  interface Times {
    /** Until a command that is not answered is given up. */
    reply: number;
    /** Until an attempt to connect is given up. */
    open: number;
    /** Between two looks whether the server is still there. */
    heartbeat: number;
    /** Until a heartbeat that is not answered means that it is not. */
    pong: number;
    /** Before the first new attempt to connect; doubles, and differs by half either way. */
    again: number;
    /** The longest wait between two attempts. */
    againMost: number;
  }

  interface Options {
    times?: Partial<Times>;
    /** A WebSocket class, where the platform has none. */
    WebSocket?: unknown;
  }

  interface Frame {
    action?: string;
    cmd: string;
    args?: object;
  }

  /** One connection. What fails while nobody looks at the promise does no harm. */
  interface Client {
    /** The connection can be used; with a log-in known, it is done. Called again after each interruption, unless there is onReconnect. */
    onConnect?: () => void;
    /** The connection is back, logged in, and subscribed to what it was before. */
    onReconnect?: () => void;
    /** Anything the server says but heartbeats; evt.data is the text of it. */
    onMessage?: (evt: { data: string }, message?: Message) => void;
    /** The connection has ended, or an attempt has failed. Another attempt follows by itself, unless close was called. */
    onClose?: (evt: Closed) => void;
    /** The log-in is refused. It is not tried again. */
    onError?: (err: OlaError) => void;

    /** Whether to connect again after an interruption; true. */
    reconnect: boolean;
    /** Whether a command would be sent now. */
    readonly connected: boolean;
    readonly times: Times;
    /** A WebSocket class, where the platform has none. */
    WebSocket?: unknown;
    /** The socket of the moment. */
    readonly ws?: unknown;
    /** The extension that commands mean which do not name one; login sets it. An agent who logs in with his own need not care. */
    _extn?: string;

    /**
     * Connects, and logs in when there is a username, here or by auth. Without url to the server that the page comes from. The promise is
     * fulfilled when the connection can be used, and rejected when the log-in is refused or close is called.
     */
    connect(url?: string, username?: string, password?: string, success?: (reply?: Reply) => void, error?: (err: OlaError) => void): Promise<Reply | undefined>;
    /** Ends the connection and forgets the log-in and the subscriptions. */
    close(): Promise<void>;
    /** Logs in: an extension with the password of its phone, or a user. May be called before the connection is there. */
    auth(extn: string, extnPwd: string): Promise<Reply>;
    /** Subscribes to "ola.agent.EXTN", "ola.caller.EXTN", "ola.queue.QUEUE.EXTN"; users may use * and #. How it is now is told at once. */
    subscribe(routeKey: string): Promise<Reply>;
    unsubscribe(routeKey: string): Promise<Reply>;
    /** Signs in to queues. */
    login(queue: string | string[], extn: string, params?: { type?: "onhook" }): Promise<Reply>;
    logout(): Promise<Reply>;
    go_ready(): Promise<Reply>;
    go_break(reason?: string): Promise<Reply>;
    toggle_ready(): Promise<Reply>;
    /** Has the agent's state told once. */
    get_agent_state(extn?: string): Promise<Reply>;
    /** otherStr comes back with the call's record; gateway is not used by this server. */
    dial(destNum: string, otherStr?: string, gateway?: string): Promise<Reply>;
    hangup(): Promise<Reply>;
    hold(): Promise<Reply>;
    unhold(): Promise<Reply>;
    ping(): Promise<Reply>;
    /** Plays a sound to the other party, and collects keys that he presses. */
    collect_dtmf(extn: string, soundFile: string): Promise<Reply>;
    /** Passes the call on, without asking there. */
    transfer(transNum: string, extn?: string): Promise<Reply>;
    /** Asks there first; unconsult takes the other party back. */
    consult(destNum: string): Promise<Reply>;
    unconsult(): Promise<Reply>;
    /** Leaves the two others alone; with consultId only in that consultation, else it is refused (409). */
    complete(consultId?: string): Promise<Reply>;
    /** extn gets the call of destNum. */
    intercept(destNum: string, extn?: string): Promise<Reply>;
    /** extn listens to beMonExtn. */
    monitor(extn: string, beMonExtn?: string): Promise<Reply>;
    unmonitor(extn?: string): Promise<Reply>;
    /** Brings threeExtn into the call of extn; gw is not used by this server. */
    three_way(threeExtn: string, extn?: string, gw?: string): Promise<Reply>;
    exit_three_way(threeExtn: string): Promise<Reply>;
    /** Takes a caller out of a queue. */
    take_call(uuid: string): Promise<Reply>;
    /** Ends a channel by its id, or the calls of an extension. */
    kill(uuid?: string, extn?: string): Promise<Reply>;
    /** Any other command. It is sent now or never. */
    send(frame: Frame): Promise<Reply>;

    /** For more than one connection: new ola.Ola(). */
    Ola: new (options?: Options) => Client;
    OlaError: new (code: number, result: string, cmd?: string) => OlaError;
  }
}
