import { useSyncExternalStore } from "react";

/** A value that components render, and that changes outside of them. */
export class Store<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private held: T) {}

  readonly read = (): T => this.held;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(value: T): void {
    this.held = value;
    for (const listener of [...this.listeners]) listener();
  }

  change(some: Partial<T>): void {
    this.set({ ...this.held, ...some });
  }
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.read);
}
