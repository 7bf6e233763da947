"""Training: the schedule by hand, batches by seed, and a stopped run that ends where an unbroken one does."""

import pytest
import torch
from torch import nn

from steelyard.lab import training as trainings
from steelyard.lab.training import Batch, Training, cross_entropy, kept_at, rate_at, train
from tests.lab.making import tiny


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_: tmp_path)


def batches(seed, step):
    ids = torch.randint(0, 101, (2, 9), generator=torch.Generator().manual_seed(1000 * seed + step))
    return Batch(ids, ids, torch.ones_like(ids, dtype=torch.bool))


class Stopped(Exception):
    pass


def linear():
    torch.manual_seed(5)
    return nn.Linear(9, 1)


def square(model, stop=None):
    seen = []

    def loss(batch):
        seen.append(1)
        if len(seen) == stop:
            raise Stopped
        return model(batch.ids.float() / 100).square().mean()

    return loss


def test_the_rate_rises_over_a_tenth_and_falls_to_a_tenth():
    rates = [rate_at(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.55)  # half way down a cosine from 1 to 0.1
    assert rates[99] == pytest.approx(0.1, abs=0.001)


def test_a_run_that_was_stopped_ends_at_the_same_weights(monkeypatch):
    unbroken = linear()
    whole = train("whole", unbroken, square(unbroken), Training("a", batches, 6))
    monkeypatch.setattr(trainings, "SAVE_EVERY", 0.0)
    broken = linear()
    with pytest.raises(Stopped):
        train("broken", broken, square(broken, stop=4), Training("b", batches, 6))
    again = nn.Linear(9, 1)
    learnt = train("broken", again, square(again), Training("b", batches, 6))
    assert torch.equal(again.weight, unbroken.weight)
    assert torch.equal(again.bias, unbroken.bias)
    assert (learnt.tokens, learnt.loss) == (whole.tokens, whole.loss) == (6 * 18, whole.loss)
    assert [p.suffix for p in learnt.place.parent.iterdir()] == [".pt", ".pt"]  # nothing half done is left


def test_what_was_learnt_is_not_learnt_again_and_another_recipe_is_another_file():
    model, training = linear(), Training("a", batches, 3)
    train("model", model, square(model), training)
    other = linear()

    def never(_):
        raise AssertionError("trained again")

    train("model", other, never, training)
    assert torch.equal(other.weight, model.weight)
    assert not other.weight.requires_grad
    recipes = [
        training,
        Training("a", batches, 4),
        Training("a", batches, 3, seed=1),
        Training("a", batches, 3, rate=1e-4),
    ]
    assert len({kept_at(recipe) for recipe in recipes} | {kept_at(training, "else")}) == 5


def test_a_start_that_uses_up_batches_leaves_the_rest():
    model, steps = linear(), []

    def seen(seed, step):
        steps.append(step)
        return batches(seed, step)

    learnt = train("model", model, square(model), Training("a", seen, 5), first=2, start=lambda: 100)
    assert steps == [2, 3, 4]
    assert learnt.tokens == 100 + 3 * 18


def test_the_loss_is_the_librarys_with_the_z_term():
    lab = tiny("llama")
    batch = batches(0, 0)
    labels = batch.labels.clone()
    labels[:, :4] = -100
    out = lab.model(batch.ids, labels=labels, output_hidden_states=False)
    z = out.logits[:, 3:-1].logsumexp(-1).square().mean()
    hidden = []
    hook = lab.model.model.layers[-1].register_forward_hook(lambda m, i, o: hidden.append(o[0] if isinstance(o, tuple) else o))  # fmt: skip
    lab.model(batch.ids)
    hook.remove()
    ours = cross_entropy(lab, hidden[0], Batch(batch.ids, labels, batch.real))
    assert float(ours) == pytest.approx(float(out.loss + 1e-4 * z), rel=1e-6)
