"""Token ids and back: Qwen2.5's BPE and BERT's uncased WordPiece."""
from frame import Case, row
from random_text import draw_text
from reference_files import bert_tokenizer, qwen_folder, qwen_tokenizer

BATCH = 500
MARKER = "\n__ggml_vocab_test__\n"


def differing(name, texts, expected, found):
    """The case of one batch: how many strings differ, and the first of them."""
    wrong = [text for text, want, have in zip(texts, expected, found) if want != have]
    return Case(f"{name}, first {wrong[0]!a:.80}" if wrong else name, len(wrong), items=len(texts))


def batches(context, specials, most=12):
    for start in range(0, context.cases, BATCH):
        yield [draw_text(context.random, specials, most) for _ in range(min(BATCH, context.cases - start))]


def encode(context, folder, texts, *options):
    return [answer["tokens"] for answer in context.filter("judo", "tokenize", folder, *options, requests=[{"text": t} for t in texts])]


def qwen_ids(tokenizer, texts):
    return [encoding.ids for encoding in tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)]


@row("BPE ids, Qwen2.5's files", "Transformers' Qwen2Tokenizer; both layouts of a folder", bar=0, cases=20000, unit="strings")
def bpe(context):
    tokenizer = qwen_tokenizer(context)
    folders = [qwen_folder(context, tokenizer, layout) for layout in ("tokenizer.json", "vocab.json")]
    specials = [token.content for token in tokenizer.added_tokens_decoder.values()]
    for number, texts in enumerate(batches(context, specials)):
        yield differing("ids", texts, qwen_ids(tokenizer, texts), encode(context, folders[number % 2], texts))


@row("BPE ids back to text", "Transformers' Qwen2Tokenizer, special tokens kept and skipped", bar=0, cases=20000, unit="strings")
def bpe_back(context):
    """Ids of texts, and random ids that cut characters: the reference puts U+FFFD there, and so does JSON output."""
    tokenizer = qwen_tokenizer(context)
    folder = qwen_folder(context, tokenizer)
    specials = [token.content for token in tokenizer.added_tokens_decoder.values()]
    for number, texts in enumerate(batches(context, specials)):
        ids = qwen_ids(tokenizer, texts)
        for some in ids[::5]:
            some[:] = [context.random.randrange(len(tokenizer)) for _ in range(context.random.randint(0, 12))]
        skip = number % 2 == 1
        expected = [tokenizer.decode(some, skip_special_tokens=skip, clean_up_tokenization_spaces=False) for some in ids]
        answers = context.filter("judo", "tokenize", folder, requests=[{"tokens": some, "skip_special": skip} for some in ids])
        yield differing("text", ids, expected, [answer["text"] for answer in answers])


@row("BPE ids of llama.cpp's vectors", "llama.cpp's ggml-vocab-qwen2", bar=0, cases=47, unit="strings")
def llama(context):
    tokenizer = qwen_tokenizer(context)
    folder = qwen_folder(context, tokenizer)
    texts = context.real_file("tokenizer/qwen2/ggml-vocab-qwen2.gguf.inp").read_bytes().decode().split(MARKER)
    lines = context.real_file("tokenizer/qwen2/ggml-vocab-qwen2.gguf.out").read_text().split("\n")
    expected = [[int(number) for number in line.split()] for line in lines][:len(texts)]
    yield differing("vectors", texts, expected, encode(context, folder, texts))


@row("WordPiece ids, cut at 256", "Transformers' BertTokenizer, uncased", bar=0, cases=20000, unit="strings")
def wordpiece(context):
    tokenizer = bert_tokenizer(context)
    folder = context.folder / "bert"
    folder.mkdir()
    (folder / "vocab.txt").symlink_to(context.real_file("tokenizer/bert/vocab.txt").resolve())
    specials = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"]
    for number, texts in enumerate(batches(context, specials)):
        if number % 10 == 9:  # long ones, most of them over the limit
            texts = [" ".join(draw_text(context.random, specials, 40) for _ in range(3)) for _ in range(50)]
        limit = 256 if number % 4 else context.random.choice([2, 3, 8, 64])
        expected = [tokenizer(text, truncation=True, max_length=limit)["input_ids"] for text in texts]
        yield differing(f"at most {limit}", texts, expected, encode(context, folder, texts, "--max-tokens", limit))
