"""Linear support vector machines, solved exactly or trained like a network of one layer."""
