import { type ReactNode, useEffect } from "react";

interface Of {
  title: string;
  /** What the browser calls the page, where that is more than the title. */
  named?: string;
  /** At its right: the light, or what the page is seen through. */
  aside: ReactNode;
  children?: ReactNode;
}

export function Head({ title, named = title, aside, children }: Of) {
  useEffect(() => {
    document.title = named;
  }, [named]);
  return (
    <header className="head">
      <h1 dir="auto">{title}</h1>
      {aside}
      {children !== undefined && <p className="hush small seat">{children}</p>}
    </header>
  );
}
