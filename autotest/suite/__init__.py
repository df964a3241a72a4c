"""Suites as data: what a suite control file asks for, and which tests it means; no database, no hardware."""
