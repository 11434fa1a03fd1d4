// What is to stand here.
