"""Whole training updates and policy forwards of small networks, timed in PyTorch on one thread."""

import peer  # first: it fixes the thread counts that torch reads when it is loaded

import torch
from torch import nn
from torch.nn import functional as F

GRADIENT_NORM = 10


class SeparateParameters:
    """Gradients, clipping and Adam parameter by parameter: PyTorch as it is usually written."""

    def __init__(self, network, **adam):
        self.parameters = list(network.parameters())
        self.optimiser = torch.optim.Adam(self.parameters, **adam)

    def descend(self, loss):
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM)
        self.optimiser.step()


class FlatParameters:
    """All parameters and gradients as views of two vectors, so that clipping and Adam are a few kernels."""

    def __init__(self, network, **adam):
        parameters = list(network.parameters())
        flat = nn.utils.parameters_to_vector(parameters).detach()
        self.gradient = torch.zeros_like(flat)
        sizes = [parameter.numel() for parameter in parameters]
        for parameter, values, slots in zip(parameters, flat.split(sizes), self.gradient.split(sizes)):
            parameter.data = values.view_as(parameter)
            parameter.grad = slots.view_as(parameter)
        flat.grad = self.gradient
        self.flat = flat
        self.optimiser = torch.optim.Adam([flat], **adam)

    def descend(self, loss):
        self.gradient.zero_()
        loss.backward()
        nn.utils.clip_grad_norm_(self.flat, GRADIENT_NORM)
        self.optimiser.step()


PARAMETERS = {"separate": SeparateParameters, "flat": FlatParameters}


def perceptron(*widths):
    """Linear layers with ReLU between them."""
    layers = [layer for pair in zip(widths, widths[1:]) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def ppo_update(batch, parameters):
    """One clipped policy-gradient update of a 16-64-64-2 actor."""
    actor = perceptron(16, 64, 64, 2)
    training = parameters(actor, lr=7e-4, eps=1e-5)
    observations = torch.randn(batch, 16)
    actions = torch.randint(2, (batch, 1))
    advantages = torch.randn(batch)
    with torch.no_grad():
        old_log_probabilities = F.log_softmax(actor(observations), -1).gather(1, actions).squeeze(1)

    def update():
        log_policy = F.log_softmax(actor(observations), -1)
        ratio = (log_policy.gather(1, actions).squeeze(1) - old_log_probabilities).exp()
        entropy = -(log_policy.exp() * log_policy).sum(1).mean()
        surrogate = torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()
        training.descend(-surrogate - 0.01 * entropy)

    return update


class Attention(nn.Module):
    """Multi-head self-attention over [batch, nodes, width], with one product for queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, nodes):
        batch, count, width = nodes.shape
        split = self.query_key_value(nodes).view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = split.reshape(3, batch * self.heads, count, -1).unbind(0)
        weights = torch.softmax(torch.bmm(queries * self.scale, keys.transpose(1, 2)), -1)
        mixed = torch.bmm(weights, values).view(batch, self.heads, count, -1).transpose(1, 2)
        return self.output(mixed.reshape(batch, count, width))


class ActionGraphQ(nn.Module):
    """Q-values [batch, agents, actions] by attention among all (agent, action) nodes."""

    agents, actions, observation, width, heads, layers = 6, 2, 7, 64, 4, 2

    def __init__(self):
        super().__init__()
        self.embed = perceptron(self.observation + self.actions, self.width, self.width)
        self.attention = nn.ModuleList(Attention(self.width, self.heads) for _ in range(self.layers))
        self.head = perceptron(self.observation + self.width, self.width, self.actions)

    def forward(self, observations, action_features):
        batch, agents, actions = len(observations), self.agents, self.actions
        repeated = observations[:, :, None].expand(batch, agents, actions, self.observation)
        nodes = self.embed(torch.cat([repeated.reshape(batch, agents * actions, -1), action_features], 2))
        for layer in self.attention:
            nodes = torch.relu(layer(nodes) + nodes)
        pooled = nodes.view(batch, agents, actions, self.width).mean(2)
        return self.head(torch.cat([observations, pooled], 2))


def agp_update(batch, parameters):
    """One regression of the summed Q-values of the taken actions to a target."""
    network = ActionGraphQ()
    training = parameters(network, lr=5e-4)
    agents, actions = network.agents, network.actions
    observations = torch.rand(batch, agents, network.observation)
    action_features = torch.eye(actions).repeat(batch, agents, 1)
    taken = F.one_hot(torch.randint(actions, (batch, agents)), actions).float()
    targets = torch.rand(batch)

    def update():
        total = (network(observations, action_features) * taken).sum((1, 2))
        training.descend(F.mse_loss(total, targets))

    return update


def update_workload(make_update):
    """The timing of `make_update(batch, parameters)`."""

    def run(request):
        batch = peer.positive(request, "batch")
        layout = request.get("parameters", "separate")
        update = make_update(batch, peer.choose("parameters", PARAMETERS, layout))
        elapsed = peer.milliseconds_per_call(
            update, peer.positive(request, "repeats", 200), peer.positive(request, "warmup", 20, least=0)
        )
        return {"batch": batch, "parameters": layout, "milliseconds": elapsed}

    return run


def policy_forward(request):
    """The forward pass of a 16-64-64-5 policy, without gradients."""
    batch = peer.positive(request, "batch")
    policy = perceptron(16, 64, 64, 5)
    observations = torch.randn(batch, 16)
    with torch.inference_mode():
        elapsed = peer.milliseconds_per_call(
            lambda: policy(observations),
            peer.positive(request, "repeats", 2000),
            peer.positive(request, "warmup", 200, least=0),
        )
    return {"batch": batch, "milliseconds": elapsed}


if __name__ == "__main__":
    peer.serve(
        torch,
        {
            "ppo-mlp": update_workload(ppo_update),
            "agp": update_workload(agp_update),
            "policy-forward": policy_forward,
        },
    )
