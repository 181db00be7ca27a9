"""Answers: by a release, with its retrieval, prompt, base model and adapter; none is generated twice."""

from liftgate.answering.answers import Answered, answer_questions, known_answers, messages_for
from liftgate.answering.generator import Answer, Generator, Request

__all__ = ["Answer", "Answered", "Generator", "Request", "answer_questions", "known_answers", "messages_for"]
