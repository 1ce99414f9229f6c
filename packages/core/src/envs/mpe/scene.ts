import type { Scene } from "../env.ts";
import type { Scenario } from "./scenario.ts";
import type { Colour } from "./world.ts";

/** Half the width of what a picture shows. */
const outlook = 1.4;

/** All bodies as discs, landmarks below. */
export function particleScene({ world }: Scenario, caption: string): Scene {
  const { bodies, agents, entities, x, y, size } = world;
  const order = Array.from({ length: entities }, (_, k) => (k + agents) % entities);
  return {
    width: 2 * outlook,
    height: 2 * outlook,
    caption,
    shapes: order.map((body) => ({
      kind: "circle",
      x: outlook + x[body],
      y: outlook - y[body],
      radius: size[body],
      fill: hexadecimal(bodies[body].colour),
      label: bodies[body].name,
    })),
  };
}

const hexadecimal = (colour: Colour): string =>
  `#${colour
    .map((part) =>
      Math.round(255 * part)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
