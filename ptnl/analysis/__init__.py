"""From runs to tables, figures, verdicts and the report."""
