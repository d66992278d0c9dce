/**
 * Text from the table, as Markdown: never HTML, never fetched.
 *
 * The text is taken apart into tokens and put together as elements, so nothing in it can be markup:
 * what looks like HTML is shown as it was written, an image is its description, and a link is one
 * only where it leads to http(s).
 */

import { marked, type Token, type Tokens } from "marked";
import { createElement, Fragment, memo, type ReactNode } from "react";
import { Boundary } from "./Boundary.js";

/** Longer texts are shown as they are: taking them apart would hold up the page. */
const LONGEST = 50_000;

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const verbatim = <p className="verbatim">{text}</p>;
  if (text.length > LONGEST) return verbatim;
  return (
    <Boundary instead={verbatim} of={text}>
      <Parts text={text} />
    </Boundary>
  );
});

/** Fails where a text is nested deeper than anybody writes. */
function Parts({ text }: { text: string }) {
  return <div className="markdown">{rendered(marked.lexer(text, { gfm: true }))}</div>;
}

function rendered(tokens: Token[] | undefined): ReactNode[] {
  // biome-ignore lint/suspicious/noArrayIndexKey: a text has no other names for its parts
  return (tokens ?? []).map((token, index) => <Fragment key={index}>{one(token)}</Fragment>);
}

function one(token: Token): ReactNode {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "paragraph":
      return <p>{rendered(token.tokens)}</p>;
    case "heading":
      return <p className="heading">{rendered(token.tokens)}</p>;
    case "strong":
      return <strong>{rendered(token.tokens)}</strong>;
    case "em":
      return <em>{rendered(token.tokens)}</em>;
    case "del":
      return <del>{rendered(token.tokens)}</del>;
    case "codespan":
      return <code>{token.text}</code>;
    case "code":
      return <pre>{token.text}</pre>;
    case "br":
      return <br />;
    case "hr":
      return <hr />;
    case "blockquote":
      return <blockquote>{rendered(token.tokens)}</blockquote>;
    case "list":
      return list(token as Tokens.List);
    case "table":
      return table(token as Tokens.Table);
    case "link":
      return link(token as Tokens.Link);
    case "image":
      return token.text;
    case "text":
      return token.tokens === undefined ? unescaped(token.text) : rendered(token.tokens);
    case "escape":
      return unescaped(token.text);
    default:
      return token.raw;
  }
}

function list({ ordered, start, items }: Tokens.List): ReactNode {
  const children = items.map((item, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a text has no other names for its parts
    <li key={index}>{rendered(item.tokens)}</li>
  ));
  return createElement(ordered ? "ol" : "ul", ordered && start !== "" ? { start } : null, children);
}

function table({ header, rows }: Tokens.Table): ReactNode {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>{header.map((cell, place) => cellOf("th", cell, place))}</tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a text has no other names for its parts
            <tr key={index}>{row.map((cell, place) => cellOf("td", cell, place))}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function cellOf(kind: "th" | "td", cell: Tokens.TableCell, place: number): ReactNode {
  return createElement(kind, { key: place }, rendered(cell.tokens));
}

function link({ href, tokens }: Tokens.Link): ReactNode {
  if (!/^https?:\/\//i.test(href)) return <>{rendered(tokens)}</>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {rendered(tokens)}
    </a>
  );
}

/** The tokens' text is escaped for HTML in places, which this is not. */
function unescaped(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}
