"""Language models behind a network.

A call becomes `service.Request`s. Those whose answers are on disk (`answers`)
are not made; the others are estimated (`spending`), keep a pace (`pace`), are
made again where that may help (`retries`), several at once (`asking`), by the
client library of OpenAI's protocol or of Gemini's API. `language_model` reads
labels and texts from the answers.
"""

from gemb.curation.remote.language_model import open_remote

__all__ = ['open_remote']
