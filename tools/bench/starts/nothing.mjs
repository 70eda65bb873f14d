// What an empty program costs; the others are compared with it.
