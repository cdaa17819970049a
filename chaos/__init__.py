"""The proof by killing things: real servers, POSs and members, disturbed; then the invariants checked."""
