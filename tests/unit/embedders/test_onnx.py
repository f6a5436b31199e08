"""A sentence-transformer from its files: a tiny one that is made here, and checked with NumPy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from syncline.core.errors import ConfigurationError
from syncline.embedders.catalogue import create, describe, recreate
from syncline.embedders.onnx import OnnxEmbedder
from syncline.settings import Settings

_DIMENSION = 6
_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "rotate", "the", "key", "query", "passage", ":"]
_WEIGHTS = np.random.default_rng(7).normal(size=(len(_WORDS), _DIMENSION)).astype(np.float32)
_PLACES = np.random.default_rng(8).normal(size=(16, _DIMENSION)).astype(np.float32)


def _model() -> onnx.ModelProto:
    """A row for each token, by the word and its place: no two texts' tokens come out alike."""
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["by_word"]),
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["length"]),
        helper.make_node("Range", ["zero", "length", "one"], ["order"]),
        helper.make_node("Gather", ["places", "order"], ["by_place"]),
        helper.make_node("Add", ["by_word", "by_place"], ["last_hidden_state"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, None)
    constants = [
        numpy_helper.from_array(_WEIGHTS, "words"),
        numpy_helper.from_array(_PLACES, "places"),
        numpy_helper.from_array(np.array(0, np.int64), "zero"),
        numpy_helper.from_array(np.array(1, np.int64), "one"),
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(_WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _expected(words: str, pooling: str = "mean", most: int = 16) -> NDArray[np.float32]:
    ids = [2, *(_WORDS.index(w) if w in _WORDS else 1 for w in words.split()), 3]
    if len(ids) > most:
        ids = [*ids[: most - 1], 3]
    tokens = _WEIGHTS[ids] + _PLACES[: len(ids)]
    pooled = tokens[0] if pooling == "cls" else tokens.mean(axis=0)
    row: NDArray[np.float32] = (pooled / np.linalg.norm(pooled)).astype(np.float32)
    return row


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's files."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    onnx.save(_model(), str(folder / "model.onnx"))
    _tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(
        json.dumps({"hidden_size": _DIMENSION, "max_position_embeddings": 16})
    )
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(made, tmp_path / "tiny")
    return tmp_path / "tiny"


def _pooling(folder: Path, **modes: bool) -> None:
    (folder / "1_Pooling").mkdir()
    config = {"word_embedding_dimension": _DIMENSION} | modes
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))


def _settings(folder: Path, **more: object) -> Settings:
    return Settings.model_validate({"embedder": "onnx", "embedding_folder": folder} | more)


async def test_vectors_are_those_of_the_same_weights(made: Path) -> None:
    """Texts of all lengths at once, in their order, each as if it were alone; none for nothing."""
    texts = ["rotate the key", "", "key", "the " * 13 + "key", "unheard of", "  \n"]
    rows = await OnnxEmbedder(made).embed(texts)
    assert rows.dtype == np.float32
    for row, text in zip(rows, texts, strict=True):
        wanted = _expected(text.strip()) if text.strip() else np.zeros(_DIMENSION)
        assert np.allclose(row, wanted, atol=1e-5), text


async def test_many_texts_are_computed_in_several_goes(made: Path) -> None:
    """What does not fit into one computation is the same in several."""
    rows = await OnnxEmbedder(made).embed(["rotate the key", "the"] * 2_000)
    assert np.allclose(rows[::2], _expected("rotate the key"), atol=1e-5)
    assert np.allclose(rows[1::2], _expected("the"), atol=1e-5)


async def test_the_folder_says_how_tokens_are_pooled(folder: Path) -> None:
    _pooling(folder, pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    row = await OnnxEmbedder(folder).embed_query("rotate the key")
    assert np.allclose(row, _expected("rotate the key", "cls"), atol=1e-5)


def test_a_pooling_that_is_not_known_is_refused(folder: Path) -> None:
    """Vectors that mean nothing would be worse than none."""
    _pooling(folder, pooling_mode_max_tokens=True)
    with pytest.raises(ConfigurationError, match="pooling_mode_max_tokens") as caught:
        describe(_settings(folder))
    assert caught.value.hint


async def test_long_texts_are_cut_where_the_folder_or_the_setting_says(folder: Path) -> None:
    """The setting is a model of its own: its vectors are others."""
    long = "rotate " * 30
    assert np.allclose(await OnnxEmbedder(folder).embed([long]), _expected(long), atol=1e-5)
    cut = _settings(folder, embedding_max_tokens=8)
    assert np.allclose(await create(cut).embed([long]), _expected(long, most=8), atol=1e-5)
    assert describe(cut).name != describe(_settings(folder)).name
    assert recreate(Settings(embedder="hashing"), describe(cut)).name == describe(cut).name
    before = describe(_settings(folder)).name
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 8}')
    row = await OnnxEmbedder(folder).embed_query(long)
    assert np.allclose(row, _expected(long, most=8), atol=1e-5)
    assert describe(_settings(folder)).name != before


async def test_questions_and_passages_have_prefixes_of_their_own(made: Path) -> None:
    settings = _settings(
        made, embedding_query_prefix="query : ", embedding_passage_prefix="passage : "
    )
    embedder = create(settings)
    assert embedder.name == describe(settings).name != describe(_settings(made)).name
    query, passages = await embedder.embed_query("key"), await embedder.embed(["key", ""])
    assert np.allclose(query, _expected("query : key"), atol=1e-5)
    assert np.allclose(
        passages, [_expected("passage : key"), np.zeros(_DIMENSION, np.float32)], atol=1e-5
    )
    again = recreate(Settings(embedder="hashing"), describe(settings))
    assert np.allclose(await again.embed_query("key"), query)


def test_other_weights_are_another_model(folder: Path) -> None:
    """Known by name before anything is loaded; what was noted of the old ones is refused."""
    before = describe(_settings(folder))
    assert before.dimension == _DIMENSION
    assert before.name.startswith("tiny-")
    model = onnx.load(str(folder / "model.onnx"))
    words: Any = model.graph.initializer[0]
    words.CopyFrom(numpy_helper.from_array(_WEIGHTS + 1, "words"))
    onnx.save(model, str(folder / "model.onnx"))
    assert describe(_settings(folder)).name != before.name
    with pytest.raises(ConfigurationError, match="is now tiny-"):
        recreate(Settings(embedder="hashing"), before)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "model.onnx").unlink(), "no model.onnx"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json"),
        (lambda folder: (folder / "config.json").unlink(), "how many numbers"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"x" * 99), "cannot be loaded"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(folder: Path, spoil: Any, said: str) -> None:
    spoil(folder)
    with pytest.raises(ConfigurationError, match=said) as caught:
        create(_settings(folder))
    assert caught.value.hint


async def test_a_model_that_gives_something_else_is_refused(folder: Path) -> None:
    """Numbers of another length would be stored under a false name."""
    (folder / "config.json").write_text('{"hidden_size": 7}')
    with pytest.raises(ConfigurationError, match="gives 1 × 3 × 6 numbers"):
        await create(_settings(folder)).embed(["key"])


def test_the_folder_must_be_set() -> None:
    with pytest.raises(ConfigurationError) as caught:
        describe(Settings(embedder="onnx"))
    assert "SYNCLINE_EMBEDDING_FOLDER" in str(caught.value.hint)


def test_without_the_packages_it_is_said_what_to_install(made: Path) -> None:
    """And who sets another embedder does not miss them."""
    code = (
        "import sys\n"
        "sys.modules['onnxruntime'] = None\n"
        "from pathlib import Path\n"
        "from syncline.embedders.catalogue import create\n"
        "from syncline.settings import Settings\n"
        "create(Settings(embedder='hashing'))\n"
        "try:\n"
        "    create(Settings(embedder='onnx', embedding_folder=Path(sys.argv[1])))\n"
        "except Exception as error:\n"
        "    print(error, '|', error.hint)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(made)], capture_output=True, text=True, check=True
    )
    assert "needs the package onnxruntime" in ran.stdout
    assert "pip install 'syncline[onnx]'" in ran.stdout
