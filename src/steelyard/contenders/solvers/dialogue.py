"""The conversation of one sample: what is said, what it costs, and what is dropped when the context is full."""

from __future__ import annotations

from typing import Any

from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
from inspect_ai.solver import Generate, TaskState


class Dialogue:
    """Questions to the model in one conversation, which begins with the task (never dropped).

    tokens: spent so far, in and out, over all calls. dropped: messages that had to go because the context was full.
    full: the last question did not fit even so.
    """

    def __init__(self, state: TaskState, generate: Generate) -> None:
        self.state, self._generate = state, generate
        self._task = len(state.messages)
        self._current: Any = None
        self.tokens = self.dropped = 0
        self.full = False

    def begin(self, answer: str) -> ModelOutput:
        """Put an answer into the model's mouth: a seed from which a repair starts."""
        output = ModelOutput.from_content(str(self.state.model), answer)
        self.state.messages.append(ChatMessageAssistant(content=answer))
        self.state.output = output
        self.keep()
        return output

    def keep(self) -> None:
        """The last message holds the current program: it stays when older turns are dropped."""
        self._current = self.state.messages[-1]

    async def say(self, text: str = "", **config: Any) -> str:
        """The model's answer to `text` (to the task itself, when empty); it stays in the conversation.

        When the context is full the oldest turns go, never the task, the current program or the question itself.
        """
        if text:
            self.state.messages.append(ChatMessageUser(content=text))
        while True:
            self.state = await self._generate(self.state, **config)
            output = self.state.output
            self.tokens += output.usage.total_tokens if output.usage else 0
            self.full = output.stop_reason == "model_length" and not output.completion.strip()
            if not self.full:
                return str(output.completion)
            self.state.messages.pop()  # the empty answer
            if not self._drop():
                return ""

    def _drop(self) -> bool:
        """Drop the oldest two neighbouring messages that may go, so that the roles still alternate."""
        messages = self.state.messages
        for at in range(self._task, len(messages) - 2):
            if self._current is not messages[at] and self._current is not messages[at + 1]:
                del messages[at : at + 2]
                self.dropped += 2
                return True
        return False
