"""Training updates of action-graph policies (AGP), timed in PyTorch on one thread."""

import peer  # first: it fixes the thread counts that torch reads when it is loaded

import torch
from torch import nn
from torch.nn import functional as F

from engine import PARAMETERS, perceptron

WIDTH, HEADS, LAYERS, ACTIONS = 64, 4, 2, 2


class StackedHeads(nn.Module):
    """Attention over rows [batch * nodes, width]: the heads of all samples as one stack of small products."""

    def __init__(self):
        super().__init__()
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)

    def forward(self, rows, batch):
        nodes = len(rows) // batch
        split = self.query_key_value(rows).view(batch, nodes, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = split.reshape(3, batch * HEADS, nodes, -1).unbind(0)
        scale = (WIDTH // HEADS) ** -0.5
        weights = torch.softmax(torch.bmm(queries * scale, keys.transpose(1, 2)), -1)
        mixed = torch.bmm(weights, values).view(batch, HEADS, nodes, -1).transpose(1, 2)
        return self.output(mixed.reshape(len(rows), WIDTH))


class BlockHeads(nn.Module):
    """The same with all heads of a sample in one product with zeros between the heads: fewer, larger products.

    Where PyTorch goes through a stack of products one by one, as without MKL, this can be faster.
    """

    def __init__(self):
        super().__init__()
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)
        blocks = torch.block_diag(*[torch.ones(1, WIDTH // HEADS)] * HEADS)
        self.register_buffer("blocks", blocks.view(HEADS, 1, WIDTH))

    def forward(self, rows, batch):
        nodes = len(rows) // batch
        queries, keys, values = self.query_key_value(rows).view(batch, nodes, 3 * WIDTH).split(WIDTH, 2)
        wide_keys = (keys[:, None] * self.blocks).view(batch, HEADS * nodes, WIDTH)
        wide_values = (values[:, None] * self.blocks).view(batch, HEADS * nodes, WIDTH)
        scale = (WIDTH // HEADS) ** -0.5
        scores = torch.bmm(queries * scale, wide_keys.transpose(1, 2))
        weights = torch.softmax(scores.view(batch, nodes, HEADS, nodes), -1).view(batch, nodes, -1)
        return self.output(torch.bmm(weights, wide_values).view(len(rows), WIDTH))


ATTENTION = {"stacked": StackedHeads, "blocks": BlockHeads}


class ActionGraphQ(nn.Module):
    """Q-values [batch, agents, actions] by attention among all (agent, action) nodes."""

    def __init__(self, agents, attention):
        super().__init__()
        self.agents = agents
        self.encoder = nn.Sequential(perceptron(1 + ACTIONS, WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.attention = nn.ModuleList(attention() for _ in range(LAYERS))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(LAYERS))
        self.head = perceptron(1 + WIDTH, WIDTH, ACTIONS)
        self.register_buffer("identities", torch.eye(ACTIONS))

    def forward(self, observations):
        batch = len(observations)
        leading = (batch, self.agents, ACTIONS)
        features = (observations[:, :, None].expand(*leading, 1), self.identities.expand(*leading, ACTIONS))
        rows = self.encoder(torch.cat(features, 3).view(-1, 1 + ACTIONS))
        for attention, norm in zip(self.attention, self.norms):
            rows = norm(rows + attention(rows, batch))
        contexts = rows.view(*leading, WIDTH).mean(2)
        return self.head(torch.cat([observations, contexts], 2))


def agp_update(request):
    """One regression of the summed Q-values of the taken actions to the rewards of one-step episodes."""
    batch = peer.positive(request, "batch")
    agents = peer.positive(request, "agents", 6)
    layout = request.get("parameters", "separate")
    attention = request.get("attention", "stacked")
    network = ActionGraphQ(agents, peer.choose("attention", ATTENTION, attention))
    training = peer.choose("parameters", PARAMETERS, layout)(network, lr=1e-3)
    observations = torch.rand(batch, agents, 1)
    taken = F.one_hot(torch.randint(ACTIONS, (batch, agents)), ACTIONS).float()
    rewards = torch.rand(batch)

    def update():
        total = (network(observations) * taken).sum((1, 2))
        training.descend(F.mse_loss(total, rewards))

    elapsed = peer.milliseconds_per_call(
        update, peer.positive(request, "repeats", 100), peer.positive(request, "warmup", 20, least=0)
    )
    return {
        "batch": batch,
        "agents": agents,
        "parameters": layout,
        "attention": attention,
        "parameter_count": sum(parameter.numel() for parameter in network.parameters()),
        "milliseconds": elapsed,
    }


if __name__ == "__main__":
    peer.serve(torch, {"agp-update": agp_update})
