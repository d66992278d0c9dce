/** Where one part of a page fails, that part says so and the rest goes on. */

import { Component, type ReactNode } from "react";

interface Props {
  /** What is shown instead. */
  instead: ReactNode;
  /** When this is another value, it is tried again. */
  of?: unknown;
  children: ReactNode;
}

export class Boundary extends Component<Props, { failed: boolean; of: unknown }> {
  override state = { failed: false, of: this.props.of };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  static getDerivedStateFromProps(props: Props, state: { of: unknown }) {
    return props.of === state.of ? null : { failed: false, of: props.of };
  }

  override render(): ReactNode {
    return this.state.failed ? this.props.instead : this.props.children;
  }
}
