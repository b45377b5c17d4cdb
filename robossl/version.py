"""The version of the package, and of the formats it writes."""

VERSION = "0.2.0"
