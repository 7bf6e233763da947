// Named and opened to nobody: reflection of a program that runs beside the runner ends at this module.
module steelyard.runner {
    requires java.compiler;
    requires java.logging;
    requires asm;
    requires asm.tree;
}
