import type { Scene, SceneShape } from "../env.ts";
import type { Scenario } from "./scenario.ts";
import type { Body, Colour, World } from "./world.ts";

/** Half the width of what a picture shows at least, and how much of it stays free beyond the outermost agent. */
const outlook = 1.25;
const margin = 0.08;
const green = "#26a626";

/** What lies lower is drawn first. */
const layers: Readonly<Record<Body["kind"], number>> = {
  forest: 0,
  obstacle: 1,
  food: 2,
  landmark: 2,
  agent: 3,
  adversary: 3,
  leader: 3,
};

/**
 * Bodies as discs, those wanted somewhere with a ring in the colour of their goal, which has a ring too; what was said beside who
 * said it. The view contains the arena, drawn as a square from -1 to 1, and widens as agents leave it.
 */
export function particleScene({ world, goals }: Scenario): Scene {
  const { bodies, agents, entities, x, y, size } = world;
  let half = outlook;
  for (let i = 0; i < agents; i++) {
    half = Math.max(half, Math.max(Math.abs(x[i]), Math.abs(y[i])) + size[i] + margin);
  }
  const disc = (body: number): SceneShape => ({
    kind: "circle",
    x: x[body],
    y: -y[body],
    radius: size[body],
    fill: hexadecimal(bodies[body].colour),
    ...(bodies[body].kind === "forest" && { opacity: 0.6 }),
    ...(body < agents && { stroke: "#1f2937", strokeWidth: 0.008, opacity: 0.75 }),
  });
  const ring = (body: number, stroke: string): SceneShape => ({
    kind: "circle",
    x: x[body],
    y: -y[body],
    radius: size[body] + 0.03,
    stroke,
    strokeWidth: 0.025,
  });
  const order = Array.from({ length: entities }, (_, body) => body);
  order.sort((a, b) => layers[bodies[a].kind] - layers[bodies[b].kind] || a - b);
  const wanted = goals();
  // Where all landmarks look alike, their colour would not tell the goal from the others.
  const alike = new Set(bodies.slice(agents).map(({ colour }) => hexadecimal(colour))).size === 1;
  const colourOf = (landmark: number): string => (alike ? green : hexadecimal(bodies[landmark].colour));
  const landmarks = [...new Set(wanted.map(({ landmark }) => landmark))];
  return {
    left: -half,
    top: -half,
    width: 2 * half,
    height: 2 * half,
    shapes: [
      { kind: "rectangle", x: -1, y: -1, width: 2, height: 2, stroke: "#e2e8f0" },
      ...order.map(disc),
      ...landmarks.map((landmark) => ring(landmark, colourOf(landmark))),
      ...wanted.map(({ agent, landmark }) => ring(agent, colourOf(landmark))),
      ...notes(world),
    ],
  };
}

/** What was said last, and who agents are where those who speak and those who listen are all somebody else. */
function notes(world: World): SceneShape[] {
  const { bodies, agents, x, y, size, speaks } = world;
  const names = bodies.slice(0, agents).map(({ name }) => name.split("_")[0]);
  const distinct = speaks.includes(1) && new Set(names).size === agents;
  const shapes: SceneShape[] = [];
  for (let i = 0; i < agents; i++) {
    const word = speaks[i] === 1 ? loudestWord(world, i) : "";
    const text = [distinct ? names[i] : "", word].filter((part) => part !== "").join(" ");
    if (!distinct && speaks[i] === 0) continue;
    // Towards the middle of the view, so that it does not end at its border.
    const side = x[i] > 0.5 ? -1 : 1;
    shapes.push({
      kind: "text",
      x: x[i] + side * (size[i] + 0.07),
      y: -y[i],
      text,
      size: 0.13,
      anchor: side < 0 ? "end" : "start",
    });
  }
  return shapes;
}

/** The word of which most was said, as a letter in quotation marks; nothing for silence. */
function loudestWord({ messages, words }: World, agent: number): string {
  let loudest = -1;
  for (let w = 0; w < words; w++) {
    const said = messages[agent * words + w];
    if (said > 0 && (loudest < 0 || said > messages[agent * words + loudest])) loudest = w;
  }
  return loudest < 0 ? "" : `“${String.fromCharCode("A".charCodeAt(0) + loudest)}”`;
}

const hexadecimal = (colour: Colour): string =>
  `#${colour
    .map((part) =>
      Math.round(255 * part)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
