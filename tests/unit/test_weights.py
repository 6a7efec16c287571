"""Weights are read from files of every kind, and no code that a file holds is run."""

import io
import os
import pickle
import random
import warnings
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from ptnl.backbones.weights import model_weights, read_torchscript, read_weights
from ptnl.errors import InputError
from ptnl.io import write_tensors


def assert_equal(read, expected):
    assert read.keys() == expected.keys()
    for name, weight in expected.items():
        assert read[name].dtype == weight.dtype, name
        assert torch.equal(read[name], weight), name


class Block(torch.nn.Module):
    """A module with what OpenAI's archives hold: several types, buffers, a tensor of no weight."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 2).half()
        self.norm = torch.nn.BatchNorm2d(4)
        self.towers = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4))
        self.projection = torch.nn.Parameter(torch.randn(4, 6).t())  # stored transposed
        self.mask = torch.ones(3)
        self.register_buffer("input_resolution", torch.tensor(224))

    def forward(self, x):
        x = self.norm(self.conv(x.half()).float()).mean(dim=(2, 3))
        return self.towers(x) @ self.projection.t() + self.mask.sum() + self.input_resolution


@pytest.mark.parametrize("kind", ["script", "trace"])
def test_a_torchscript_archive_is_read_as_torch_reads_it(tmp_path, kind):
    module, example = Block().eval(), torch.randn(1, 3, 4, 4)
    path = tmp_path / "weights.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = (
            torch.jit.script(module) if kind == "script" else torch.jit.trace(module, example)
        )
        compiled.save(path)
        known = torch.jit.load(path).state_dict()
    assert_equal(read_weights(path), module.state_dict())
    assert_equal(read_weights(path), dict(known))
    assert model_weights(known).keys() == known.keys() - {"input_resolution"}


def test_a_traced_clip_is_read(tmp_path, tiny_clip, tokenizer):
    path = tmp_path / "clip.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.rand(1, 3, 32, 32), tokenizer(["a dog"])
        torch.jit.trace(tiny_clip, example).save(path)
    assert_equal(model_weights(read_weights(path)), tiny_clip.state_dict())


def test_an_archive_that_declares_no_buffers_is_read(tmp_path):
    """Old versions of PyTorch declare only parameters."""
    module, old = torch.nn.BatchNorm1d(3), tmp_path / "old.pt"
    new = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), new)
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".py"):
                lines = data.decode().splitlines(keepends=True)
                data = "".join(line for line in lines if "__buffers__" not in line).encode()
            target.writestr(name, data)
    assert_equal(read_torchscript(old), module.state_dict())


def test_an_archive_with_a_wrong_byte_is_read_or_refused(tmp_path):
    """The wrong byte may be any of the archive's pickle."""
    whole, broken = io.BytesIO(), tmp_path / "broken.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.LayerNorm(3)), whole)
    with zipfile.ZipFile(whole) as source:
        files = {name: source.read(name) for name in source.namelist()}
    (pickled,) = [name for name in files if name.endswith("/data.pkl")]
    stream, refused = random.Random(0), 0
    for _ in range(300):
        content = bytearray(files[pickled])
        content[stream.randrange(len(content))] = stream.randrange(256)
        with zipfile.ZipFile(broken, "w") as target:
            for name, data in {**files, pickled: bytes(content)}.items():
                target.writestr(name, data)
        try:
            assert all(isinstance(w, torch.Tensor) for w in read_weights(broken).values())
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{broken}: ")
    assert refused > 100


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_torchscript_archive_that_calls_a_function_is_refused(tmp_path):
    path, mark = tmp_path / "hostile.pt", tmp_path / "mark"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hostile/data.pkl", pickle.dumps(Attack(mark), protocol=2))
        archive.writestr("hostile/code/__torch__.py", "class M(Module):\n")
    with pytest.raises(InputError, match=r"hostile.pt: refused, for it asks for posix.mkdir"):
        read_weights(path)
    assert not mark.exists()


@pytest.mark.parametrize("modern", [True, False])
def test_a_pickle_that_calls_a_function_is_refused(tmp_path, modern):
    path, mark = tmp_path / "hostile.pt", tmp_path / "mark"
    attack = {"state_dict": {"weight": Attack(mark)}}
    torch.save(attack, path, _use_new_zipfile_serialization=modern)
    with pytest.raises(InputError, match=r"hostile.pt: refused, for it asks for posix.mkdir"):
        read_weights(path)
    assert not mark.exists()


def test_state_dicts_and_checkpoints_are_read(tmp_path):
    state = {"a": torch.randn(2, 3).half(), "text.b": torch.arange(3)}
    path = tmp_path / "w.pt"
    torch.save(state, path)
    assert_equal(read_weights(path), state)
    parallel = {f"module.{name}": weight for name, weight in state.items()}
    torch.save({"epoch": 3, "state_dict": parallel, "optimizer": {"lr": 0.1}}, path)
    assert_equal(read_weights(path), state)
    assert_equal(model_weights(state), {"a": state["a"], "b": state["text.b"]})
    save_file(state, tmp_path / "w.safetensors")
    assert_equal(read_weights(tmp_path / "w.safetensors"), state)


def test_weights_that_share_memory_are_written_separately(tmp_path):
    weight = torch.randn(4)
    write_tensors(model_weights({"a": weight[:2], "b": weight}), tmp_path / "w.safetensors")
    separate = load_file(tmp_path / "w.safetensors")
    assert torch.equal(separate["a"], weight[:2])
    assert torch.equal(separate["b"], weight)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("w.safetensors", b"no", "not readable as safetensors"),
        ("w.pt", b"no", "w.pt: "),
        ("w.pt", b"", "not readable as weights of PyTorch"),
    ],
)
def test_files_that_hold_no_weights_are_refused(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


def test_a_pickle_of_something_else_is_refused(tmp_path):
    for number, content in enumerate(([1, 2], {}, {"a": 1}, {"state_dict": {"a": "b"}})):
        path = tmp_path / f"{number}.pt"
        torch.save(content, path)
        with pytest.raises(InputError, match="holds no state dict"):
            read_weights(path)


def test_a_missing_or_empty_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"w.pt: not readable"):
        read_weights(tmp_path / "w.pt")
    (tmp_path / "w.pt").write_bytes(b"PK\x05\x06" + bytes(18))  # an empty zip archive
    with pytest.raises(InputError, match=r"w.pt: not readable"):
        read_weights(tmp_path / "w.pt")
