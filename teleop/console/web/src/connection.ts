// The socket to the console: reconnects by itself, acknowledges states, pairs answers with questions.
import type { Answer, FromBrowser, Hello, ToBrowser } from "./messages";

type Kind = ToBrowser["type"];
type Of<K extends Kind> = Extract<ToBrowser, { type: K }>;
type Question = FromBrowser extends infer M ? (M extends { id: number } ? Omit<M, "id"> : never) : never;

export class Connection {
  open = false;
  hello: Hello | null = null;
  private socket: WebSocket | null = null;
  private handlers = new Map<Kind, ((message: any) => void)[]>();
  private waiting = new Map<number, (answer: Answer) => void>();
  private nextId = 1;
  private delay = 250;
  onChange: (open: boolean, why: string) => void = () => {};

  on<K extends Kind>(kind: K, handler: (message: Of<K>) => void): void {
    this.handlers.set(kind, [...(this.handlers.get(kind) ?? []), handler]);
  }

  connect(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/socket`);
    this.socket = socket;
    socket.onopen = () => {
      this.open = true;
      this.delay = 250;
      this.onChange(true, "");
    };
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data as string) as ToBrowser;
      if (message.type === "hello") this.hello = message;
      if (message.type === "answer") {
        this.waiting.get(message.id)?.(message);
        this.waiting.delete(message.id);
      }
      for (const handler of this.handlers.get(message.type) ?? []) handler(message);
      if (message.type === "state") this.send({ type: "ack", seq: message.seq });
    };
    socket.onclose = (event) => {
      this.open = false;
      this.socket = null;
      for (const [id, done] of this.waiting) done({ type: "answer", id, ok: false, error: "the console went away" });
      this.waiting.clear();
      this.onChange(false, event.reason);
      setTimeout(() => this.connect(), this.delay);
      this.delay = Math.min(2000, this.delay * 1.6);
    };
  }

  send(message: FromBrowser): boolean {
    // What does not fit the socket now would arrive stale: better not at all.
    if (!this.open || !this.socket || this.socket.bufferedAmount > 65536) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  ask(question: Question): Promise<Answer> {
    const id = this.nextId++;
    return new Promise((done) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        done({ type: "answer", id, ok: false, error: "no answer from the console" });
      }, 310_000);
      this.waiting.set(id, (answer) => {
        clearTimeout(timer);
        done(answer);
      });
      if (!this.send({ ...question, id } as FromBrowser)) {
        this.waiting.get(id)!({ type: "answer", id, ok: false, error: "not connected" });
        this.waiting.delete(id);
      }
    });
  }
}
