"""A hostile evening: honest tables dine at a real server that everybody else abuses (docs/abuse.md)."""
