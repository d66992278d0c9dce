/** A window over the page: the browser's own dialog, which keeps the focus and gives it back. */

import { type ReactNode, useEffect, useId, useRef } from "react";

export function Window({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const name = useId();
  useEffect(() => {
    const dialog = element.current;
    if (dialog !== null && !dialog.open) dialog.showModal();
  }, []);
  return (
    <dialog ref={element} className="window" aria-labelledby={name} onClose={onClose}>
      <div className="row">
        <h2 id={name}>{title}</h2>
        <button type="button" onClick={() => element.current?.close()}>
          Close
        </button>
      </div>
      {children}
    </dialog>
  );
}
