"""HTML pages of one look, each one file that needs nothing else.

A template extends `page.html`, beside this file: the look, a title, and facts
below it where `about` has some. `figures.html` has plots side by side.
"""

import pathlib
from typing import Any

import jinja2


def render(template: pathlib.Path, **values: Any) -> str:
  """Returns the page that a template makes of values.

  Args:
    template: a file in Jinja's language; values are escaped unless it says
      that they are safe, as plots are.
    **values: what it names.

  Raises:
    jinja2.UndefinedError: if it names another.
  """
  environment = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
      [
        jinja2.FileSystemLoader(template.parent),
        jinja2.PackageLoader('gemb.evals', '.'),
      ]
    ),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  return environment.get_template(template.name).render(values)
