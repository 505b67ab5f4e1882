//! What is wrong with a payload is said with the field's name.
