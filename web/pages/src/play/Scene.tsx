import { usePart } from "@questlog/react";
import { SceneView } from "../shared/SceneView.js";

/** The scene, as it is now. */
export function Scene() {
  return (
    <SceneView
      scene={usePart("/scene")}
      status={usePart("/status")}
      combat_status={usePart("/combat_status")}
      turn={usePart("/turn")}
      turn_info={usePart("/turn_info")}
      characters={usePart("/characters")}
      initiative={usePart("/initiative")}
      environmental_conditions={usePart("/environmental_conditions")}
      immediate_threats={usePart("/immediate_threats")}
    />
  );
}
