import { mappo } from "corral/algorithms";
import { configureEnv, environments } from "corral/envs";
import { createRng } from "corral/random";

const { factory } = configureEnv(environments["coordination-game"], { agents: 5, epsilon: 0.05 });
const config = mappo.config.parse({ dag: "full", hiddenNorm: false, entropyCoefficient: 0 });
const learner = await mappo.create({ env: factory, config, rng: createRng(1), totalSteps: 100_000 });
for (let update = 0; update < 150; update++) await learner.iterate();
console.log(await learner.evaluate(100, createRng("evaluation")));
