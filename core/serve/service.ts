/** The models of a service, and the state that its routes share. */

import { Bodies } from "./body.ts";
import { ServiceMetrics } from "./metrics.ts";
import { Problem } from "./problem.ts";
import { type Servable, ServedModel } from "./served_model.ts";
import { KeyedStreams } from "./streams.ts";

/** Options of a service, all filled in. */
export interface ServiceOptions {
  readonly token?: string;
  readonly cors?: string;
  readonly maxBody: number;
  readonly bodyTimeout: number;
  readonly maxStreams: number;
  readonly maxStreamSteps: number;
}

/** The models of a service. */
export class Service {
  readonly options: ServiceOptions;
  readonly bodies: Bodies;
  readonly metrics = new ServiceMetrics();
  readonly streams: KeyedStreams;
  readonly opened: Promise<void>;
  readonly #models = new Map<string, ServedModel>();
  #isOpen = false;
  #isDraining = false;
  #inFlight = 0;
  #drained: (() => void)[] = [];

  constructor(models: Readonly<Record<string, Servable>>, options: ServiceOptions) {
    this.options = options;
    this.bodies = new Bodies(options);
    this.streams = new KeyedStreams({ maxStreams: options.maxStreams, maxSteps: options.maxStreamSteps });
    this.opened = (async () => {
      for (const [name, model] of Object.entries(models)) this.#models.set(name, await ServedModel.open(name, model));
      this.#isOpen = true;
    })();
    // Whoever waits for it learns of it.
    this.opened.catch(() => {});
  }

  /** Whether all models are open. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isReady(): boolean {
    return this.#isOpen && !this.#isDraining;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get names(): string[] {
    return [...this.#models.keys()];
  }

  /** A model by its name; the first one without. */
  model(name?: string): ServedModel {
    const model = name === undefined ? this.#models.values().next().value : this.#models.get(name);
    if (model) return model;
    throw new Problem(404, `there is no model ${JSON.stringify(name)}: there is ${this.names.join(", ")}`);
  }

  begin(): void {
    this.#inFlight++;
  }

  end(): void {
    if (--this.#inFlight === 0) this.#drained.splice(0).forEach((resolve) => resolve());
  }

  /** Is no longer ready; waits until all requests are answered. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#inFlight) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /** Puts another model in place of one, once it is found to work; waits until nobody uses the old one. */
  async replace(name: string, model: Servable | Promise<Servable>): Promise<void> {
    const given = Promise.resolve(model);
    // Whatever else is wrong is said first.
    given.catch(() => {});
    await this.opened;
    this.model(name);
    let opened: ServedModel;
    try {
      opened = await ServedModel.open(name, await given);
    } catch (error) {
      this.metrics.reload(name, false);
      throw error;
    }
    const old = this.model(name);
    this.#models.set(name, opened);
    this.metrics.reload(name, true);
    this.streams.forget(old);
    await old.retire();
  }

  /** Frees the memory. */
  async dispose(): Promise<void> {
    await this.drain();
    for (const model of this.#models.values()) {
      this.streams.forget(model);
      await model.retire();
    }
    this.#models.clear();
    this.#isOpen = false;
  }
}
