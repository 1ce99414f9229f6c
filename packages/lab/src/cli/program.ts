import { Command, type CommanderError, Option } from "commander";
import { InputError, unknownName } from "corral/errors";
import pc from "picocolors";
import type { Context } from "./context.ts";
import { readInteger, readNumber, readSeed } from "./read-number.ts";

/**
 * The whole command line: every command with its arguments, options and examples. What a command does is loaded when
 * it is called, so that help is there at once.
 */
export function createProgram(context: Context, version: string): Command {
  const program = new Command("corral")
    .description("Train teams of agents that decide together, and reproduce the figures of the papers.")
    .configureHelp({
      styleTitle: (text) => pc.bold(text),
      styleCommandText: (text) => pc.cyan(text),
      styleSubcommandTerm: (text) => pc.cyan(text),
      styleOptionTerm: (text) => pc.cyan(text),
      styleArgumentTerm: (text) => pc.cyan(text),
      subcommandTerm: (subcommand) => subcommand.name(),
    })
    .configureOutput({ writeErr: () => {} })
    .exitOverride((error) => refuse(error, program))
    .helpCommand(false)
    .helpOption("-h, --help", "show help, also of a command")
    .version(version, "-V, --version", "show the version")
    .addHelpText(
      "after",
      `\n${pc.bold("First steps:")}\n${firstSteps}\n\n${pc.bold("Exit codes:")}\n${exitCodeText}`,
    )
    .on("command:*", ([name]: string[]) => {
      throw unknownName(
        "command",
        name,
        visible.map((command) => command.name()),
      );
    });

  program.commandsGroup("Train:");
  define(program, "train", "train a team and keep the run in a directory", [
    "train mappo coordination-game dag=full",
    'train mappo coordination-game dag="heuristic(4)" env.agents=7 --steps 200000 --seed 3',
    "train mappo aloha dag=full --preset exploring --steps 500000",
    "train mappo ./my-env.ts env.horizon=20 hidden=32 --out runs/mine",
  ])
    .argument("<algorithm>", "name of an algorithm (see: corral list algorithms)")
    .argument("<env>", "name of an environment (see: corral list envs), or the path of a module of your own")
    .argument("[settings...]", "key=value for the algorithm, env.key=value for the environment")
    .option("--seed <seed>", "root of all randomness: a whole number or a word", readSeed, 1)
    .option("--preset <name>", "settings to start from (see: corral list algorithms <name>)")
    .option("--steps <n>", "environment steps", readInteger("--steps", 1), 100_000)
    .option("--out <directory>", "where the run is kept (default: runs/<what it computes>)")
    .option(
      "--evaluate-every <n>",
      "iterations between evaluations; 0: only at the end",
      readInteger("--evaluate-every", 0),
      10,
    )
    .option(
      "--evaluation-episodes <n>",
      "episodes of one evaluation",
      readInteger("--evaluation-episodes", 1),
      32,
    )
    .option(
      "--checkpoint-every <n>",
      "iterations between checkpoints",
      readInteger("--checkpoint-every", 1),
      25,
    )
    .action(async (algorithm, env, settings, options) => {
      const { trainNew } = await import("./commands/train.ts");
      await trainNew(context, { algorithm, env, settings, ...options });
    });
  define(program, "resume", "go on with a run that was stopped or killed", ["resume runs/mine"])
    .argument("<run>", "directory of the run")
    .action(async (run, options) => {
      const { resume } = await import("./commands/train.ts");
      await resume(context, run, options);
    });

  program.commandsGroup("Look:");
  define(program, "list", "list environments, algorithms, figures, tables, settings", [
    "list",
    "list algorithms mappo",
    "list envs aloha",
    "list figures --json",
  ])
    .argument("[kind]", "envs, algorithms, figures or tables")
    .argument("[name]", "one of them, in full")
    .action(async (kind, name, options) => {
      const { list } = await import("./commands/list.ts");
      await list(kind, name, options);
    });
  define(program, "show", "show how a run went, in curves and numbers", [
    "show runs/mine",
    "show runs/mine --json | jq .metrics",
  ])
    .argument("<run>", "directory of the run")
    .action(async (run, options) => {
      const { show } = await import("./commands/show.ts");
      await show(run, options);
    });
  define(program, "evaluate", "play episodes with the policy of a run, without exploration", [
    "evaluate runs/mine --episodes 1000",
  ])
    .argument("<run>", "directory of the run")
    .option("--episodes <n>", "episodes to play", readInteger("--episodes", 1), 100)
    .option("--seed <seed>", "decides the episodes", readSeed, 0)
    .action(async (run, options) => {
      const { evaluate } = await import("./commands/evaluate.ts");
      await evaluate(context, run, options);
    });
  define(program, "render", "draw an episode: a strip of pictures, or an animation", [
    "render runs/mine",
    "render aloha --policy alternate --frames 6 --out aloha.png",
    "render mpe/tag protocol=team --seed 3 --animate --out tag.svg",
    "render temperature --policy best --every 5 agents=12",
  ])
    .argument("<env|run>", "name of an environment, path of a module of your own, or directory of a run")
    .argument("[settings...]", "key=value for the environment")
    .option(
      "--policy <name>",
      "random (default), trained (default of a run), or one that comes with the environment",
    )
    .option("--episode <n>", "which episode of the seed, from 0", readInteger("--episode", 0), 0)
    .option("--seed <seed>", "decides the episodes", readSeed, 0)
    .option(
      "--every <n>",
      "show every n-th step (default: about twelve of them, with --animate all)",
      readInteger("--every", 1),
    )
    .option("--frames <n>", "show so many moments, from the first to the last", readInteger("--frames", 1))
    .option("--out <file>", "where it is drawn (.svg or .png)", "episode.svg")
    .option("--animate", "draw the moments one after the other instead: an SVG that moves in any browser")
    .action(async (env, settings, options) => {
      const { render } = await import("./commands/render.ts");
      await render(context, env, settings, options);
    });
  define(program, "attention", "show which actions of a trained team attend to which", [
    "attention runs/agp",
    "attention runs/agp --layer 1 --samples 4096 --out first-layer",
  ])
    .argument("<run>", "directory of a run of action-graph policies")
    .option("--samples <n>", "moments of play to average over", readInteger("--samples", 1), 1024)
    .option("--seed <seed>", "decides the episodes", readSeed, 0)
    .option("--layer <n>", "layer to draw, from 1 (default: the last)", readInteger("--layer", 1))
    .option("--out <path>", "files to write, without their endings (default: <run>/attention)")
    .action(async (run, options) => {
      const { attention } = await import("./commands/attention.ts");
      await attention(context, run, options);
    });
  define(program, "graph", "show which agents of a trained team read whose actions", [
    "graph runs/learned",
    "graph runs/learned --state 0,1,1,0,1 --draw dag.svg",
    "graph runs/learned --state 0,1,1,0,1 --noisy --samples 1000",
    "graph runs/learned --samples 4096 --draw edges.png --json",
  ])
    .argument("<run>", "directory of a run whose agents follow a DAG (mappo)")
    .option(
      "--state <numbers>",
      "a state of the environment; may be given several times (default: states of play)",
      (numbers: string, before: readonly string[] = []) => [...before, numbers],
    )
    .option(
      "--samples <n>",
      "states of play, or draws in given states where chance decides",
      readInteger("--samples", 1),
      1024,
    )
    .option("--noisy", "networks choose DAGs under noise, as in training, not the likeliest")
    .option("--seed <seed>", "decides play and draws", readSeed, 0)
    .option("--draw <file>", "draw the DAG, or how often each edge is there (.svg or .png)")
    .action(async (run, options) => {
      const { graph } = await import("./commands/graph.ts");
      await graph(context, run, options);
    });
  define(program, "export", "write the policy of a run as an ONNX file", [
    "export runs/mine --out policy.onnx",
    "export runs/zones --per-agent policies",
  ])
    .argument("<run>", "directory of the run")
    .option("--out <file>", "where to write it", "policy.onnx")
    .option(
      "--per-agent <directory>",
      "write a file for each agent instead, which sees its own observation only, where agents have networks of their own",
    )
    .action(async (run, options) => {
      const { exportPolicy } = await import("./commands/export.ts");
      await exportPolicy(context, run, options);
    });
  define(program, "check", "check that an environment keeps its promises", [
    "check aloha",
    "check aloha --golden trajectories.json",
    "check ./my-env.ts horizon=20",
  ])
    .argument("<env>", "name of an environment, or the path of a module of your own")
    .argument("[settings...]", "key=value for the environment")
    .option("--golden <file>", "replay recorded trajectories and compare every number")
    .option("--episodes <n>", "episodes of random play in each check", readInteger("--episodes", 1), 5)
    .option("--seed <seed>", "decides the random play", readSeed, 0)
    .action(async (env, settings, options) => {
      const { check } = await import("./commands/check.ts");
      await check(context, env, settings, options);
    });
  define(program, "structure", "show who matters to whose value, as the couplings of a game decide", [
    "structure couplings.json",
    "structure couplings.json --kappa 2 --draw structure.svg",
    "structure couplings.json --horizon 3 --mode strict --json",
  ])
    .argument("<couplings>", "JSON file of couplings, or an environment that has some")
    .argument("[settings...]", "key=value for the environment")
    .option("--kappa <n>", "leave out rewards more than n steps ahead", readInteger("--kappa", 0))
    .option("--horizon <n>", "steps until the last reward (default: no end)", readInteger("--horizon", 0))
    .option("--mode <mode>", "paper, strict or folded-literal: how sets that end are read", "paper")
    .option("--draw <file>", "draw couplings, network and dependencies (.svg or .png)")
    .action(async (couplings, settings, options) => {
      const { structure } = await import("./commands/structure.ts");
      await structure(context, couplings, settings, options);
    });

  program.commandsGroup("Prove:");
  define(program, "certify", "bound how far a policy of a finite game is from equilibrium and optimum", [
    "certify coordination-game env.agents=3 --dag line --lambda 0.1",
    "certify game.json --dag 1+2 --lambda 0.01 --out mine.json",
    'certify game.json --dag "edges:0>1,0>2" --theta theta.json --json',
  ])
    .argument("<game>", "JSON file of a game, or an environment that has an exact model")
    .argument("[settings...]", "key=value for the environment")
    .option("--dag <dag>", "product, full, line, block sizes such as 1+2, or edges:0>1,1>2", "full")
    .option("--lambda <weight>", "weight of the log barrier", readNumber("--lambda", 0), 0)
    .option("--theta <file>", "parameters to certify as they are, without ascent")
    .option("--seed <seed>", "start from normal parameters of this seed, not from zero", readSeed)
    .option(
      "--steps <n>",
      "gradient steps at most (default: 2000 without barrier, 100,000 with one)",
      readInteger("--steps", 0),
    )
    .option("--out <file>", "where the certificate is written", "certificate.json")
    .action(async (game, settings, options) => {
      const { certifyGame } = await import("./commands/certify.ts");
      await certifyGame(context, game, settings, options);
    });
  define(program, "verify", "compute every number of a certificate again, independently", [
    "verify certificate.json",
  ])
    .argument("<certificate>", "file that corral certify wrote")
    .action(async (certificate, options) => {
      const { verify } = await import("./commands/verify.ts");
      await verify(certificate, options);
    });
  define(program, "ceiling", "compute what agents reach at best that do not share what they see", [
    "ceiling topk",
    "ceiling topk n=6 k=2 penalty=0.5",
    "ceiling swap",
    "ceiling matrix-game 'payoff=[[11,-30,0],[-30,7,6],[0,0,5]]'",
    "ceiling payoffs.json --json",
  ])
    .argument("<game>", "an environment of one joint action, or a JSON file of payoffs as nested lists")
    .argument("[settings...]", "key=value for the environment; n stands for agents")
    .option(
      "--starts <n>",
      "topk: policies to climb from besides the best common threshold (default: by the number of agents)",
      readInteger("--starts", 0),
    )
    .option("--seed <seed>", "topk: decides those policies", readSeed, 0)
    .action(async (game, settings, options) => {
      const { ceiling } = await import("./commands/ceiling.ts");
      await ceiling(context, game, settings, options);
    });

  program.commandsGroup("Reproduce:");
  define(program, "reproduce", "make a figure or table of a paper and judge its claims", [
    "reproduce subteams/figure-2-coordination-game --scale quick",
    "reproduce subteams/figure-2-aloha --scale paper --jobs 8 --out results",
    "reproduce bn-rates/certificates",
  ])
    .argument("<figure>", "paper/figure (see: corral list figures, corral list tables)")
    .addOption(
      new Option("--scale <scale>", "how much work: a check, a first answer, or the paper's own").default(
        "quick",
      ),
    )
    .option("--seeds <n>", "runs of each curve, instead of the scale's number", readInteger("--seeds", 1))
    .option("--jobs <n>", "runs at a time (default: one for each core)", readInteger("--jobs", 1))
    .option("--out <directory>", "where runs and figures are kept", "results")
    .action(async (figure, options) => {
      const { reproduceFigure } = await import("./commands/reproduce.ts");
      await reproduceFigure(context, figure, options);
    });

  program.commandsGroup("Measure:");
  define(
    program,
    "bench",
    "time engine, training, environments, exact gradients, learned DAGs or structure here",
    ["bench train", "bench engine --against pytorch", "bench tabular --against numpy", "bench structure"],
  )
    .argument("<what>", "engine, train, agp, mastac, dag, envs, tabular or structure")
    .option("--against <peer>", "run the same work elsewhere, turn by turn: pytorch, for tabular numpy")
    .action(async (what, options) => {
      const { bench } = await import("./commands/bench.ts");
      await bench(what, options);
    });

  const visible = [...program.commands];
  for (const command of visible) addCommonOptions(command);
  program.command("worker", { hidden: true }).action(async () => {
    await context.enableUserModules();
    const { worker } = await import("./worker.ts");
    worker();
  });
  return program;
}

/** A command with its examples; `corral` is put in front of each. */
function define(program: Command, name: string, description: string, examples: readonly string[]): Command {
  const defined: Command = program
    .command(name)
    .description(description)
    .addHelpText(
      "after",
      `\n${pc.bold("Examples:")}\n${examples.map((line) => `  corral ${line}`).join("\n")}`,
    )
    .exitOverride((error) => refuse(error, defined));
  return defined;
}

function addCommonOptions(command: Command): void {
  const group = "Every command:";
  command
    .addOption(new Option("--json", "print the result as JSON on standard output").helpGroup(group))
    .addOption(new Option("--debug", "show where an error comes from").helpGroup(group))
    .addHelpOption(new Option("-h, --help", "show this help").helpGroup(group));
}

/** Passes help and version on; what cannot be understood is said in the style of all other errors. */
function refuse(error: CommanderError, command: Command): never {
  if (error.exitCode === 0) throw error;
  const quoted = /'(.*)'/.exec(error.message)?.[1] ?? "";
  if (error.code === "commander.unknownOption") {
    const choices = command.options.map(({ long }) => long!);
    throw unknownName("option", quoted, choices);
  }
  const usage = [command.parent?.name(), command.name(), command.usage()].filter(Boolean).join(" ");
  const [first] = error.message.split("\n");
  throw new InputError(`${first.replace(/^error: /, "").replaceAll("'", '"')}; usage: ${usage}`);
}

const firstSteps = `  corral list
  corral train mappo coordination-game dag=full
  corral reproduce subteams/figure-2-coordination-game --scale quick`;

const exitCodeText = `  0 done   1 a check failed   2 something given is not valid, or a run diverged
  130 interrupted, everything can be resumed`;
