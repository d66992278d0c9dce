/** Which of a page's parts is shown, where there is room for one. */

interface Of<T extends string> {
  name: string;
  of: readonly T[];
  shown: T;
  show: (part: T) => void;
  className?: string;
}

export function Tabs<T extends string>({ name, of, shown, show, className = "" }: Of<T>) {
  return (
    <nav className={`tabs ${className}`} aria-label={name}>
      {of.map(each => (
        <button type="button" key={each} aria-pressed={each === shown} onClick={() => show(each)}>
          {each}
        </button>
      ))}
    </nav>
  );
}
