"""Cannot be imported."""

import a_package_that_nobody_has  # noqa: F401 - the failure is the point
