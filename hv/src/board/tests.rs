//! The generated tables of the model board are sorted, disjoint and found by address.
