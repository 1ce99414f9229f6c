import type { Body, Colour } from "./world.ts";

/** What has no colour that tells anything. */
export const grey: Colour = [0.25, 0.25, 0.25];

/** Landmarks of these colours and this radius, one by one; nobody runs into them. */
export const landmarks = (colours: readonly Colour[], size: number): Body[] =>
  colours.map((colour, k) => ({ name: `landmark ${k}`, kind: "landmark", colour, size, collides: false }));

/** So many obstacles, which everybody runs into. */
export const obstacles = (count: number): Body[] =>
  Array.from({ length: count }, (_, k) => ({
    name: `obstacle ${k}`,
    kind: "obstacle",
    colour: grey,
    size: 0.2,
    collides: true,
  }));
