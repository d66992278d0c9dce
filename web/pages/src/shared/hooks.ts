import { useEffect, useRef, useState } from "react";

/** The time, every second while `running`: of a live page nothing changes by itself. */
export function useNow(running: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}

/**
 * What a number has just changed by, for as long as that is to be seen; null: by nothing.
 *
 * @param key whose number it is: of another, nothing has changed.
 */
export function useChange(value: number | null, key: string, shown = 2_500): number | null {
  const before = useRef({ value, key });
  const [change, setChange] = useState<{ by: number } | null>(null);
  useEffect(() => {
    const last = before.current;
    before.current = { value, key };
    if (last.key !== key || last.value === null || value === null || last.value === value) return;
    setChange({ by: value - last.value });
  }, [value, key]);
  useEffect(() => {
    if (change === null) return;
    const timer = setTimeout(() => setChange(null), shown);
    return () => clearTimeout(timer);
  }, [change, shown]);
  return change?.by ?? null;
}
