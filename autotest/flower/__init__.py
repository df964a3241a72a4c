"""Flower, with the lab in it: ``autotest flower`` is Flower as it comes, plus a page that shows hosts and queues."""
