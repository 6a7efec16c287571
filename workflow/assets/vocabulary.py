"""The tokens of CLIP that occur in pre-training, with new numbers."""

from collections.abc import Iterable, Sequence

import numpy as np
from open_clip.tokenizer import SimpleTokenizer


class Vocabulary:
    """Tokens numbered without gaps in CLIP's order: the end token has the highest number."""

    def __init__(self, texts: Iterable[str], context_length: int):
        self.tokenizer = SimpleTokenizer()
        self.context_length = context_length
        used = set(self.tokenizer.all_special_ids)
        for word in {word for text in texts for word in text.split()}:
            used.update(self.tokenizer.encode(word))
        self.ids = np.array(sorted(used))
        self.index = {token: number for number, token in enumerate(self.ids.tolist())}
        self.start, self.end = (self.index[t] for t in self.tokenizer.all_special_ids)
        self._of_word: dict[str, list[int]] = {}

    def tokens_of(self, text: str) -> list[int]:
        """The tokens of a text, without start and end.

        CLIP's tokeniser never joins words over a space, so each word is looked up alone.
        """
        tokens = []
        for word in text.split():
            if word not in self._of_word:
                self._of_word[word] = [self.index[t] for t in self.tokenizer.encode(word)]
            tokens += self._of_word[word]
        return tokens

    def pad(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """Token numbers (texts, longest), with start and end token and padded with 0.

        A text that does not fit into the context length is cut off.
        """
        rows = [[self.start, *text[: self.context_length - 2], self.end] for text in texts]
        width = max(map(len, rows))
        return np.array([row + [0] * (width - len(row)) for row in rows])
